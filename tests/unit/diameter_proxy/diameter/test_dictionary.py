"""Every row of the dictionary, against Wireshark's own dictionary where that has it."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.dictionary import ALL, BY_KEY, AvpType
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.wire import walk_avps

VECTORS: Final = Path(__file__).parents[3] / "vectors" / "diameter" / "wireshark_dictionary.json"
WIRESHARK: Final = {(row["code"], row["vendor_id"]): row for row in json.loads(VECTORS.read_text())["avps"]}
SPELT_OTHERWISE: Final = {
    "Digest-QoP": "Digest-Qop",
    "User-Data": "Cx-User-Data",
    "SIP-Number-Auth-Items": "3GPP-SIP-Number-Auth-Items",
    "SIP-Authentication-Scheme": "3GPP-SIP-Authentication-Scheme",
    "SIP-Authenticate": "3GPP-SIP-Authenticate",
    "SIP-Authorization": "3GPP-SIP-Authorization",
    "SIP-Auth-Data-Item": "3GPP-SIP-Auth-Data-Item",
    "SIP-Item-Number": "3GPP-SIP-Item-Number",
    "Wildcarded-Public-Identity": "Wildcarded-PSI",
}
TYPES: Final = {
    "OctetString": {"OctetString", "OctetStringOrUTF8", "IPAddress"},
    "Address": {"IPAddress"},
    "Unsigned32": {"Unsigned32", "AppId", "VendorId", "Enumerated"},
}


def named(avp: AvpType[Any]) -> str:
    return avp.name


def test_keys_are_distinct() -> None:
    assert len(BY_KEY) == len(ALL)
    assert len({avp.name for avp in ALL}) == len(ALL)


def test_module_names_follow_the_specification() -> None:
    for name, value in vars(d).items():
        if isinstance(value, AvpType):
            assert value.name.upper().replace("-", "_") == name


@pytest.mark.parametrize("avp", [avp for avp in ALL if (avp.code, avp.vendor_id) in WIRESHARK], ids=named)
def test_row_is_as_wireshark_has_it(avp: AvpType[Any]) -> None:
    row = WIRESHARK[(avp.code, avp.vendor_id)]
    assert row["name"] == SPELT_OTHERWISE.get(avp.name, avp.name)
    assert row["type"] in TYPES.get(avp.format.name, {avp.format.name})


def test_wireshark_has_every_row_but_the_one_of_etsi() -> None:
    assert [avp.name for avp in ALL if (avp.code, avp.vendor_id) not in WIRESHARK] == ["Line-Identifier"]


@pytest.mark.parametrize("avp", ALL, ids=named)
def test_example_of_each_row_is_one_whole_avp(avp: AvpType[Any]) -> None:
    example = avp.example()
    (span,) = walk_avps(example, 0)
    assert (span.code, span.vendor_id) == (avp.code, avp.vendor_id)
    assert bool(span.flags & 0x40) is avp.mandatory
    assert set(example[span.value :]) <= {0}


def test_wrong_length_is_5014_and_wrong_value_5004_with_the_avp() -> None:
    """RFC 6733 §7.1.5."""
    with pytest.raises(PermanentFailure) as length:
        d.RESULT_CODE.decode(b"\1")
    assert (length.value.code, length.value.failed_avp.hex()) == (5014, "0000010c4000000901000000")
    with pytest.raises(PermanentFailure) as value:
        d.DISCONNECT_CAUSE.decode(bytes.fromhex("00000009"))
    assert (value.value.code, value.value.failed_avp.hex()) == (5004, "000001114000000c00000009")
