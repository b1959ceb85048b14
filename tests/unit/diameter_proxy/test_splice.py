"""RFC 6733 §2.8.2, §4.1: what is not mapped passes octet for octet, the order never changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.wire import encode_avp, encode_message
from diameter_proxy.splice import (
    PUBLIC_IDENTITY,
    ROUTE_RECORD,
    SLOTS,
    USER_NAME,
    Unreadable,
    avp_at,
    locate,
    splice,
    starts_of,
    value_at,
)
from diameter_proxy.splice_plain import locate_plainly, splice_plainly

CODES = [1, 25, 263, 264, 268, 278, 281, 282, 283, 284, 293, 296, 601, 602, 607, 612, 614, 494]
AVPS = st.builds(
    encode_avp,
    st.sampled_from(CODES),
    st.binary(max_size=24),
    st.sampled_from([0, 0, 10415, 50]),
    st.sampled_from([0, 0x40]),
)
MESSAGES = st.builds(lambda avps: encode_message(0xC0, 303, 16777216, 1, 2, avps), st.lists(AVPS, max_size=12))
ME = encode_request(
    MAR,
    hop_by_hop=7,
    end_to_end=9,
    avps=(
        d.SESSION_ID.encode("scscf;1;2"),
        d.ROUTE_RECORD.encode("a"),
        d.PUBLIC_IDENTITY.encode("sip:u@d"),
        d.ROUTE_RECORD.encode("b"),
        d.USER_NAME.encode("u@d"),
    ),
)


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Unreadable as exc:
        return exc.start, exc.too_many


@settings(deadline=None, derandomize=True)
@given(MESSAGES, st.data())
def test_the_fast_splice_equals_the_plain_one(message, data):
    starts = [start for start in locate_plainly(message)[1:SLOTS] if start]
    edits = [(start, data.draw(AVPS | st.just(b""))) for start in starts if data.draw(st.booleans())]
    appended = data.draw(st.just(b"") | AVPS)
    assert splice(message, 0x50, 11, edits, appended) == splice_plainly(message, 0x50, 11, edits, appended)


@settings(deadline=None, derandomize=True)
@given(MESSAGES, st.integers(0, 200), st.integers(0, 255), st.integers(1, 13))
def test_the_fast_locate_equals_the_plain_one_on_damaged_messages(message, at, octet, avps_max):
    damaged = bytearray(message)
    damaged[at % len(damaged)] = octet
    assert outcome(locate, bytes(damaged), avps_max) == outcome(locate_plainly, bytes(damaged), avps_max)


def test_a_last_avp_too_many_whose_padding_overruns_is_a_wrong_length():
    """Both faults in one AVP: the length comes first, in the fast and in the plain one."""
    message = encode_message(0, 303, 0, 1, 1, [d.USER_NAME.encode("u@d")]) + b"\0\0\0\1\x40\0\0\x09\0"
    assert outcome(locate, message, 1) == outcome(locate_plainly, message, 1) == (len(message) - 9, False)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_any_octets_give_places_or_a_documented_error(octets):
    data = bytes(20) + octets
    assert outcome(locate, data) == outcome(locate_plainly, data)


def test_places_are_those_of_the_first_and_of_the_further_avps():
    found = locate(ME)
    assert value_at(ME, found[USER_NAME]) == b"u@d"
    assert value_at(ME, found[PUBLIC_IDENTITY]) == b"sip:u@d"
    assert [value_at(ME, start) for start in starts_of(found, ROUTE_RECORD)] == [b"a", b"b"]
    assert starts_of(found, SLOTS - 1) == []


def test_a_vendors_avp_with_a_base_code_is_left_alone():
    message = encode_message(0xC0, 303, 16777216, 1, 2, [encode_avp(1, b"x", 50), encode_avp(601, b"y", 50)])
    assert not any(locate(message))


def test_avps_are_exchanged_in_place_and_the_rest_passes():
    found = locate(ME)
    out = splice(ME, 0xD0, 77, [(found[USER_NAME], d.USER_NAME.encode("longer@domain"))], d.ROUTE_RECORD.encode("c"))
    head, tail = ME[20 : found[USER_NAME]], d.USER_NAME.encode("longer@domain") + d.ROUTE_RECORD.encode("c")
    assert out[20:] == head + tail
    assert int.from_bytes(out[1:4], "big") == len(out)
    assert (out[4], out[12:16], out[16:20]) == (0xD0, (77).to_bytes(4, "big"), ME[16:20])


def test_an_empty_edit_takes_the_avp_away():
    found = locate(ME)
    out = splice(ME, 0xC0, 7, [(start, b"") for start in starts_of(found, ROUTE_RECORD)])
    assert starts_of(locate(out), ROUTE_RECORD) == []
    assert avp_at(out, locate(out)[USER_NAME]) == d.USER_NAME.encode("u@d")


def test_too_many_avps_are_said_to_be_so():
    message = encode_message(0xC0, 303, 16777216, 1, 2, [encode_avp(25, b"")] * 513)
    with pytest.raises(Unreadable, match="too many") as caught:
        locate(message)
    assert caught.value.too_many
