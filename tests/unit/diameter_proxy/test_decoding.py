"""``decode``: a message in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.decoding import NUMBER_MAX, describe
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import DiameterError
from tests.unit.diameter_proxy.conftest import AKA, Made

CHALLENGE = bytes(range(0x80, 0xA0))
"""RAND and AUTN."""


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


def test_unknown_avps_and_values_are_shown_in_hex_only_when_asked_for(made):
    stray = bytes.fromhex("000001eec00000100000003201020304") + bytes.fromhex("0000010c40000009ff000000")
    message = made.mar(made.partner, stray)
    redacted, whole = ("\n".join(describe(message, show_secrets=asked)) for asked in (False, True))
    assert "AVP 494 of vendor 50 [VM] (4 octets, --show-secrets)" in redacted
    assert "Result-Code [M] (1 octets, --show-secrets) ! no plain Unsigned32" in redacted
    assert "AVP 494 of vendor 50 [VM] 01020304" in whole
    assert "Result-Code [M] ff ! no Unsigned32" in whole


def test_what_holds_no_secret_is_readable_beside_a_vector():
    visited = d.VISITED_NETWORK_IDENTIFIER.encode(b"ims.mc2.lab")
    text = "\n".join(describe(maa(b"x" * 8, b"c" * 16, b"i" * 16, visited)))
    for line in (
        "  Session-Id [M] 'scscf.mc2.lab;1;1'",
        "  Result-Code [M] 2001",
        "  Origin-Host [M] 'hss.mc1.lab'",
        "    SIP-Item-Number [VM] 1",
        "    SIP-Authentication-Scheme [VM] 'Digest-AKAv1-MD5'",
        "    Confidentiality-Key [VM] (16 octets, --show-secrets)",
        "  Visited-Network-Identifier [VM] 'ims.mc2.lab'",
    ):
        assert line in text.splitlines()


def test_a_text_that_holds_more_than_text_is_counted(made):
    for value in ("a\0b", "a\nb"):
        assert "User-Name [M] (3 octets, --show-secrets) ! no plain UTF8String" in "\n".join(
            describe(made.mar((value, "sip:a@b")))
        )


def test_numbers_that_may_be_four_octets_of_a_key_are_not_shown(made):
    for stray in (bytes.fromhex("aabbccdd4000000c01020304"), bytes.fromhex("000001eec000000caabbccdd")):
        message = made.mar(made.partner, stray)
        assert "of a code or a vendor over 65535" in "\n".join(describe(message))
        assert str(0xAABBCCDD) not in "\n".join(describe(message))
        assert str(0xAABBCCDD) in "\n".join(describe(message, show_secrets=True))


@pytest.mark.parametrize("row", [d.SIP_ITEM_NUMBER, d.FEATURE_LIST])
def test_a_number_that_may_be_an_xres_is_not_shown(row):
    """Two or three wrong bits make one of SIP-Authorization, which may have four octets."""
    xres = bytes.fromhex("7a3be19c")
    turned = maa(xres, b"c" * 16, b"i" * 16).replace((610).to_bytes(4, "big"), row.code.to_bytes(4, "big"))
    in_no_vector = turned.replace((612).to_bytes(4, "big"), (628).to_bytes(4, "big"))
    for octets in (turned, in_no_vector):
        assert str(0x7A3BE19C) not in shown(octets)
        assert str(0x7A3BE19C) in "\n".join(describe(octets, show_secrets=True))


def test_the_middle_of_a_message_is_not_shown_as_a_header():
    ck = bytes.fromhex("010203a4a5a6a7a8a9aaabacadaeafb0")
    whole = maa(b"x" * 8, ck, b"i" * 16)
    middle = whole[whole.index(ck) :]
    assert shown(middle).startswith(f"! no header: neither a command nor the length of {len(middle)} octets")
    assert not [trace for trace in traces_of(ck) if trace in shown(middle)]
    assert "hop_by_hop=adaeafb0" in "\n".join(describe(middle, show_secrets=True))


def maa(xres, ck, ik, *more):
    """Return an MAA with a whole vector."""
    item = Made.vector(
        d.SIP_ITEM_NUMBER.encode(1),
        AKA,
        d.SIP_AUTHENTICATE.encode(CHALLENGE),
        d.SIP_AUTHORIZATION.encode(xres),
        d.CONFIDENTIALITY_KEY.encode(ck),
        d.INTEGRITY_KEY.encode(ik),
    )
    return Made.maa(Made.mar(session="scscf.mc2.lab;1;1"), Made.primary, *more, item=item)


def shown(octets):
    """Return all that is printed of a message."""
    try:
        return "\n".join(describe(octets))
    except DiameterError as exc:
        return str(exc)


def spoilt(octets, number):
    """Return a message with one bit turned, or cut off at its end, or, where there is no such bit, at its beginning."""
    bits = len(octets) * 8
    if number < bits:
        return (int.from_bytes(octets, "big") ^ 1 << number).to_bytes(len(octets), "big")
    cut = number - bits
    return octets[:cut] if cut < len(octets) else octets[cut - len(octets) :]


def traces_of(secret):
    """Yield how four octets in a row of a secret may look: in hex, as text, escaped, as a number."""
    for at in range(len(secret) - 3):
        part = secret[at : at + 4]
        if int.from_bytes(part, "big") > NUMBER_MAX:
            latin = part.decode("latin-1")
            yield from (part.hex(), latin, repr(part)[2:-1], repr(latin)[1:-1], str(int.from_bytes(part, "big")))


OTHERS = (b"\x91\xa7\xf2\xe8", b"\xd3\xb9\x8e\xc6" * 4, b"\xea\x97\xf4\xbd" * 4)
KEYS = (
    (b"resp", b"Confidentiality!", b"Integrity-of-all"),
    (
        b"\x4f\x1e\x9c\xd3",
        bytes.fromhex("b40ba9a3c58b2a05bbf0d987b21bf8cb"),
        bytes.fromhex("f769bcd751044604127672711c6d3441"),
    ),
)


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_no_wrong_bit_and_no_cut_shows_anything_of_a_vector(keys, times):
    """What is printed is the same whatever the keys are."""
    one, other = (maa(xres * times, ck, ik) for xres, ck, ik in (keys, OTHERS))
    for number in range(len(one) * 9):
        assert shown(spoilt(one, number)) == shown(spoilt(other, number)), number


@given(
    st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.data(),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_no_keys_are_shown_of_a_spoilt_message(xres, ck, ik, data):
    whole = maa(xres, ck, ik)
    number = data.draw(st.integers(0, len(whole) * 10 - 1))
    other = shown(spoilt(maa(OTHERS[0] * (len(xres) // 4), *OTHERS[1:]), number)).splitlines()
    own = "\n".join(line for line in shown(spoilt(whole, number)).splitlines() if line not in other)
    assert not [trace for secret in (xres, ck, ik) for trace in traces_of(secret) if trace in own]
