"""``decode``: a message in words."""

import pytest

from diameter_proxy.decoding import describe
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import DiameterError


def test_header_avps_and_groups_are_named(made):
    lines = list(describe(made.mar()))
    assert lines[0].startswith("MAR flags=RP application=16777216 hop_by_hop=00000005 end_to_end=00000009")
    assert "  User-Name [M] 'mig-p@ims.mc2.lab'" in lines
    assert "    SIP-Authentication-Scheme [VM] 'Digest-AKAv1-MD5'" in lines


def test_keys_are_shown_only_when_asked_for(made):
    item = d.SIP_AUTH_DATA_ITEM.encode(d.CONFIDENTIALITY_KEY.encode(b"\xaa" * 16))
    assert "aaaa" not in "".join(describe(made.mar(item=item)))
    assert "aaaa" in "".join(describe(made.mar(item=item), show_secrets=True))


def test_what_cannot_be_read_is_said(made):
    assert any("! " in line for line in describe(made.mar()[:-4]))
    with pytest.raises(DiameterError):
        list(describe(b"\1\2"))


def test_unknown_avps_and_values_are_shown_in_hex(made):
    stray = bytes.fromhex("000001eec00000100000003201020304") + bytes.fromhex("0000010c40000009ff000000")
    text = "\n".join(describe(made.mar(made.partner, stray)))
    assert "AVP 494 of vendor 50 [VM] 01020304" in text
    assert "ff !" in text
