"""RFC 6733 §2.8.2, §4.1: what is not mapped passes octet for octet, the order never changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy import splice as plain
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.wire import encode_avp, encode_message
from diameter_proxy.hot_path import choose
from diameter_proxy.splice import PUBLIC_IDENTITY, ROUTE_RECORD, SLOTS, USER_NAME
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

BOTH = pytest.mark.parametrize("hot", dict.fromkeys([plain, choose("")[0][0]]), ids=lambda hot: hot.__name__)
"""The source as Python and compiled; where nothing could be compiled, once."""


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except (plain.Unreadable, choose("")[0][0].Unreadable) as exc:
        return exc.start, exc.too_many


@BOTH
@settings(deadline=None, derandomize=True)
@given(MESSAGES, st.data())
def test_the_fast_splice_equals_the_plain_one(hot, message, data):
    starts = [start for start in locate_plainly(message)[1:SLOTS] if start]
    edits = [(start, data.draw(AVPS | st.just(b""))) for start in starts if data.draw(st.booleans())]
    appended = data.draw(st.just(b"") | AVPS)
    assert hot.splice(message, 0x50, 11, edits, appended) == splice_plainly(message, 0x50, 11, edits, appended)


@BOTH
@settings(deadline=None, derandomize=True)
@given(MESSAGES, st.integers(0, 200), st.integers(0, 255), st.integers(1, 13))
def test_the_fast_locate_equals_the_plain_one_on_damaged_messages(hot, message, at, octet, avps_max):
    damaged = bytearray(message)
    damaged[at % len(damaged)] = octet
    assert outcome(hot.locate, bytes(damaged), avps_max) == outcome(locate_plainly, bytes(damaged), avps_max)


@BOTH
def test_a_last_avp_too_many_whose_padding_overruns_is_a_wrong_length(hot):
    """Both faults in one AVP: the length comes first, in the fast and in the plain one."""
    message = encode_message(0, 303, 0, 1, 1, [d.USER_NAME.encode("u@d")]) + b"\0\0\0\1\x40\0\0\x09\0"
    assert outcome(hot.locate, message, 1) == outcome(locate_plainly, message, 1) == (len(message) - 9, False)


@BOTH
@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_any_octets_give_places_or_a_documented_error(hot, octets):
    data = bytes(20) + octets
    assert outcome(hot.locate, data) == outcome(locate_plainly, data)


@BOTH
def test_places_are_those_of_the_first_and_of_the_further_avps(hot):
    found = hot.locate(ME)
    assert hot.value_at(ME, found[USER_NAME]) == b"u@d"
    assert hot.value_at(ME, found[PUBLIC_IDENTITY]) == b"sip:u@d"
    assert [hot.value_at(ME, start) for start in hot.starts_of(found, ROUTE_RECORD)] == [b"a", b"b"]
    assert hot.starts_of(found, SLOTS - 1) == []


@BOTH
def test_a_vendors_avp_with_a_base_code_is_left_alone(hot):
    message = encode_message(0xC0, 303, 16777216, 1, 2, [encode_avp(1, b"x", 50), encode_avp(601, b"y", 50)])
    assert not any(hot.locate(message))


@BOTH
def test_avps_are_exchanged_in_place_and_the_rest_passes(hot):
    found = hot.locate(ME)
    out = hot.splice(
        ME, 0xD0, 77, [(found[USER_NAME], d.USER_NAME.encode("longer@domain"))], d.ROUTE_RECORD.encode("c")
    )
    head, tail = ME[20 : found[USER_NAME]], d.USER_NAME.encode("longer@domain") + d.ROUTE_RECORD.encode("c")
    assert out[20:] == head + tail
    assert int.from_bytes(out[1:4], "big") == len(out)
    assert (out[4], out[12:16], out[16:20]) == (0xD0, (77).to_bytes(4, "big"), ME[16:20])


@BOTH
def test_an_empty_edit_takes_the_avp_away(hot):
    found = hot.locate(ME)
    out = hot.splice(ME, 0xC0, 7, [(start, b"") for start in hot.starts_of(found, ROUTE_RECORD)])
    assert hot.starts_of(hot.locate(out), ROUTE_RECORD) == []
    assert hot.avp_at(out, hot.locate(out)[USER_NAME]) == d.USER_NAME.encode("u@d")


@BOTH
def test_too_many_avps_are_said_to_be_so(hot):
    message = encode_message(0xC0, 303, 16777216, 1, 2, [encode_avp(25, b"")] * 513)
    with pytest.raises(hot.Unreadable, match="too many") as caught:
        hot.locate(message)
    assert caught.value.too_many
