"""Formats both ways, and data that has no meaning in them (RFC 6733 §4.2, §4.3)."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import formats as f
from diameter_proxy.diameter.values import DisconnectCause

CAUSE = f.enumerated(DisconnectCause)

VECTORS = [
    (f.OCTET_STRING, b"\0\1", "0001"),
    (f.GROUPED, b"", ""),
    (f.UTF8_STRING, "é", "c3a9"),
    (f.DIAMETER_IDENTITY, "hss.mc1.lab", b"hss.mc1.lab".hex()),
    (f.DIAMETER_URI, "aaa://hss:3868", b"aaa://hss:3868".hex()),
    (f.UNSIGNED_32, 2001, "000007d1"),
    (f.INTEGER_32, -2, "fffffffe"),
    (f.UNSIGNED_64, 1, "0000000000000001"),
    (f.ADDRESS, ipaddress.ip_address("10.77.1.13"), "00010a4d010d"),
    (f.ADDRESS, ipaddress.ip_address("::1"), "000200000000000000000000000000000001"),
    (CAUSE, DisconnectCause.BUSY, "00000001"),
]


@pytest.mark.parametrize(("kind", "value", "octets"), VECTORS)
def test_value_and_octets_are_each_others(kind: f.Format[Any], value: Any, octets: str) -> None:
    assert kind.encode(value).hex() == octets
    assert kind.decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("kind", "octets", "error"),
    [
        (f.UTF8_STRING, "ff", f.WrongValue),
        (f.DIAMETER_IDENTITY, "", f.WrongValue),
        (f.DIAMETER_IDENTITY, "6100", f.WrongValue),
        (f.DIAMETER_IDENTITY, "c3a9", f.WrongValue),
        (f.UNSIGNED_32, "000001", f.WrongLength),
        (f.UNSIGNED_64, "00000001", f.WrongLength),
        (f.ADDRESS, "00", f.WrongValue),
        (f.ADDRESS, "0008313233", f.WrongValue),
        (f.ADDRESS, "00010a4d01", f.WrongLength),
        (CAUSE, "00000009", f.WrongValue),
        (CAUSE, "0009", f.WrongLength),
    ],
)
def test_octets_without_meaning_are_refused(kind: f.Format[Any], octets: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        kind.decode(bytes.fromhex(octets))


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_integers_that_do_not_fit_are_ours_to_mend(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        f.UNSIGNED_32.encode(value)


@settings(deadline=None, derandomize=True)
@given(st.sampled_from([row[0] for row in VECTORS]), st.binary(max_size=20))
def test_any_octets_give_a_value_or_a_documented_error(kind: f.Format[Any], octets: bytes) -> None:
    try:
        value = kind.decode(octets)
    except (f.WrongLength, f.WrongValue):
        return
    assert kind.encode(value) == octets
