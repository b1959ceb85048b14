"""Octets and values of RFC 6733 §3 and §4, both ways, and streams cut anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import wire
from diameter_proxy.diameter.errors import DiameterError, FramingLost, PermanentFailure
from diameter_proxy.diameter.wire import FrameBuffer, decode_header, encode_avp, encode_message, select_avps, walk_avps

SETTINGS = settings(deadline=None, derandomize=True)

U32 = st.integers(0, 0xFFFFFFFF)
AVPS = st.builds(encode_avp, U32, st.binary(max_size=40), U32, st.integers(0, 255))
MESSAGES = st.builds(
    encode_message, st.integers(0, 255), st.integers(0, 0xFFFFFF), U32, U32, U32, st.lists(AVPS, max_size=5)
)


def test_avp_is_laid_out_as_rfc_6733_4_1_draws_it() -> None:
    assert encode_avp(1, b"u@ex").hex() == "000000014000000c75406578"
    assert encode_avp(601, b"abcde", 10415).hex() == "00000259c0000011000028af6162636465000000"


def test_header_is_laid_out_as_rfc_6733_3_draws_it() -> None:
    octets = encode_message(wire.REQUEST | wire.PROXIABLE, 303, 16777216, 0x01020304, 0x05060708, ())
    assert octets.hex() == "01000014c000012f010000000102030405060708"
    header = decode_header(octets)
    assert header == (20, 0xC0, 303, 16777216, 0x01020304, 0x05060708)
    assert (header.is_request, header.is_proxiable, header.is_error, header.is_retransmitted) == (
        True,
        True,
        False,
        False,
    )


def test_header_says_error_and_retransmitted() -> None:
    header = decode_header(encode_message(wire.ERROR | wire.RETRANSMITTED, 1, 0, 0, 0, ()))
    assert header.is_error
    assert header.is_retransmitted
    assert not header.is_request
    assert not header.is_proxiable


def test_short_header_is_no_header() -> None:
    with pytest.raises(FramingLost):
        decode_header(bytes(19))


def test_version_2_is_refused_with_5011() -> None:
    with pytest.raises(PermanentFailure) as refused:
        decode_header(b"\2" + bytes(19))
    assert refused.value.code == 5011


@pytest.mark.parametrize(
    ("avp", "failed_avp"),
    [
        ("0000000140", "0000000140000008"),
        ("000000014000000c7540", "0000000140000008"),
        ("0000000140000000", "0000000140000008"),
        ("0000000140000003", "0000000140000008"),
        ("00000259c000000b000028af", "00000259c000000c000028af"),
        ("00000259c000000c0000", "00000259c000000c00000000"),
        ("00000001400000097500", "0000000140000008"),
    ],
)
def test_avp_that_overruns_or_undercuts_is_5014_with_its_header(avp: str, failed_avp: str) -> None:
    """RFC 6733 §7.1.5, DIAMETER_INVALID_AVP_LENGTH."""
    with pytest.raises(PermanentFailure) as refused:
        list(walk_avps(bytes.fromhex(avp), 0))
    assert refused.value.code == 5014
    assert refused.value.failed_avp.hex() == failed_avp


@pytest.mark.parametrize(("length", "wanted"), [(8, "has less than its header"), (0xBBBBBB, "overruns")])
def test_what_is_said_of_a_wrong_length_holds_no_octets_of_the_message(length: int, wanted: str) -> None:
    """They may be octets of a key, where the AVP before has a wrong length; what is said goes into a log."""
    octets = encode_avp(1, b"abcd") + bytes.fromhex("aaaaaaaa80") + length.to_bytes(3, "big") + bytes(8)
    with pytest.raises(PermanentFailure) as refused:
        list(walk_avps(octets, 0))
    assert str(refused.value) == f"AVP at octet 12 {wanted}, 16 octets are left"


def test_walk_stays_inside_its_region() -> None:
    first, second = encode_avp(1, b"a"), encode_avp(2, b"b", 10415)
    spans = list(walk_avps(first + second, len(first)))
    assert [(span.code, span.vendor_id) for span in spans] == [(2, 10415)]
    assert [span.code for span in walk_avps(first + second, 0, len(first))] == [1]


@SETTINGS
@given(
    st.lists(st.one_of(AVPS, st.builds(encode_avp, st.integers(1, 3), st.binary(max_size=9))), max_size=6), st.data()
)
def test_what_is_selected_is_what_a_walk_meets(avps: list[bytes], data: st.DataObject) -> None:
    """Up to the first AVP that cannot be read, and no further than so many."""
    octets = bytearray(b"".join([bytes(20), *avps]))
    if len(octets) > 20 and data.draw(st.booleans()):
        at = data.draw(st.integers(20, len(octets) - 1))
        octets[at] = data.draw(st.integers(0, 255))
    most = data.draw(st.integers(0, 7))
    met = []
    walk = walk_avps(bytes(octets))
    try:
        for _, span in zip(range(most), walk, strict=False):
            met.append(span)
    except PermanentFailure:
        pass
    wanted = [(span.code, octets[span.start : span.next]) for span in met if span.code < 3 and not span.vendor_id]
    assert select_avps(bytes(octets), {0, 1, 2}, most) == wanted


def test_values_too_long_for_24_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        encode_avp(1, bytes(1 << 24))
    with pytest.raises(ValueError, match="limit"):
        encode_message(0, 1, 0, 0, 0, [bytes(1 << 24)])


def test_hop_by_hop_and_flags_are_replaced_and_nothing_else() -> None:
    octets = encode_message(0xC0, 303, 1, 2, 3, [encode_avp(1, b"abcd")])
    assert wire.with_hop_by_hop(octets, 9) == encode_message(0xC0, 303, 1, 9, 3, [encode_avp(1, b"abcd")])
    assert wire.with_flags(octets, 0x40) == encode_message(0x40, 303, 1, 2, 3, [encode_avp(1, b"abcd")])


@SETTINGS
@given(U32, st.binary(max_size=60), U32, st.integers(0, 127))
def test_avp_decodes_to_what_was_encoded(code: int, value: bytes, vendor_id: int, flags: int) -> None:
    octets = encode_avp(code, value, vendor_id, flags)
    (span,) = walk_avps(octets, 0)
    assert (span.code, span.vendor_id, octets[span.value : span.end], span.next) == (
        code,
        vendor_id,
        value,
        len(octets),
    )
    assert span.flags & 0x7F == flags
    assert len(octets) % 4 == 0


@SETTINGS
@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(1, 50), max_size=30))
def test_stream_cut_anywhere_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(messages)
    frames, received, start = FrameBuffer(), [], 0
    for cut in [*cuts, len(stream)]:
        received += frames.receive_data(stream[start : start + cut])
        start += cut
    assert received == messages


def message_of(length: int, fill: int) -> bytes:
    return b"\x01" + length.to_bytes(3, "big") + bytes([fill]) * (length - 4)


@SETTINGS
@given(
    st.sampled_from([20, 23, 616, 1000]),
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 299), st.sampled_from([20, 24, 616, 700])), max_size=3),
    st.lists(st.integers(1, 20_000), max_size=20),
)
def test_many_of_one_length_are_cut_as_one_by_one(
    length: int, count: int, others: list[tuple[int, int]], cuts: list[int]
) -> None:
    """With and without some of another length among them, wherever the transport cut it, whatever kind of octets."""
    messages = [message_of(length, number & 0xFF) for number in range(count)]
    for place, other in others:
        messages.insert(place, message_of(other, 1))
    stream, buffer, cut = b"".join(messages), FrameBuffer(), list[bytes]()
    for step in [*cuts, len(stream)]:
        read, stream = stream[:step], stream[step:]
        cut += buffer.receive_data(memoryview(bytearray(read)) if step & 1 else read)
    assert cut == messages


def test_what_is_equally_long_comes_as_one_run() -> None:
    """What comes before or after, or is longer, comes by itself."""
    many, other, last = [message_of(616, n) for n in range(9)], message_of(700, 1), message_of(20, 2)
    buffer = FrameBuffer()
    assert buffer.receive_runs(memoryview(b"".join(many) + many[0][:100])) == [b"".join(many)]
    assert buffer.receive_runs(many[0][100:] + b"".join(many)) == [many[0], b"".join(many)]
    runs = buffer.receive_runs(b"".join(many) + other + last)
    assert wire.apart(runs) == [*many, other, last]
    assert wire.messages_in(runs) == 11
    assert wire.messages_in([b"".join(many), last]) == 10


@pytest.mark.parametrize("head", [b"\x02\0\0\x14", b"\x01\0\0\x13", b"\x01\x01\0\0"], ids=["version", "short", "long"])
def test_many_broken_ones_lose_the_framing_at_the_first(head: bytes) -> None:
    with pytest.raises(FramingLost) as caught:
        FrameBuffer(limit_octets=65535).receive_data((head + bytes(16)) * 500)
    assert caught.value.messages == ()


def test_a_broken_one_behind_many_loses_the_framing_behind_them() -> None:
    good = message_of(20, 0)
    with pytest.raises(FramingLost) as caught:
        FrameBuffer().receive_data(good * 400 + b"\x07" + bytes(30))
    assert caught.value.messages == (good,) * 400


@SETTINGS
@given(st.lists(MESSAGES, max_size=3), st.binary(min_size=20, max_size=60), st.integers(1, 30))
def test_broken_stream_cut_anywhere_ends_alike(messages: list[bytes], garbage: bytes, cut: int) -> None:
    stream = b"".join(messages) + garbage

    def read(size: int) -> tuple[list[bytes], str | None, bytes]:
        frames, received = FrameBuffer(), []
        for start in range(0, len(stream), size):
            try:
                received += frames.receive_data(stream[start : start + size])
            except FramingLost as loss:
                return [*received, *loss.messages], str(loss), loss.header
        return received, None, b""

    assert read(cut) == read(len(stream))


@SETTINGS
@given(st.binary(max_size=200))
def test_any_octets_give_messages_or_a_documented_error(octets: bytes) -> None:
    try:
        for message in FrameBuffer().receive_data(octets):
            list(walk_avps(message))
    except DiameterError:
        pass


@pytest.mark.parametrize("length", [0, 16, 19])
def test_length_below_a_header_loses_the_framing(length: int) -> None:
    with pytest.raises(FramingLost) as lost:
        FrameBuffer().receive_data(b"\1" + length.to_bytes(3, "big") + bytes(16))
    assert lost.value.code is None


def test_message_over_the_limit_loses_the_framing_and_those_before_it_are_kept() -> None:
    good = encode_message(0, 1, 0, 0, 0, ())
    with pytest.raises(FramingLost) as lost:
        FrameBuffer(limit_octets=64).receive_data(good + b"\1\0\0\x44" + bytes(16))
    assert lost.value.messages == (good,)


def test_version_2_in_the_stream_carries_its_header_and_5011() -> None:
    with pytest.raises(FramingLost) as lost:
        FrameBuffer().receive_data(b"\2\0\0\x14" + bytes(16))
    assert lost.value.code == 5011
    assert lost.value.header == b"\2\0\0\x14" + bytes(16)


def test_length_that_is_no_multiple_of_four_still_frames() -> None:
    odd = b"\1\0\0\x15" + bytes(17)
    assert FrameBuffer().receive_data(odd + odd) == [odd, odd]
