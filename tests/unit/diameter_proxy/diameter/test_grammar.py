"""Messages held against their command's row."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, DWR
from diameter_proxy.diameter.errors import AnswerableError, PermanentFailure, ProtocolFailure
from diameter_proxy.diameter.grammar import check_avp_flags, check_command
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.wire import encode_avp

ORIGIN = [d.ORIGIN_HOST.encode("a"), d.ORIGIN_REALM.encode("b")]


def dwr(*avps: bytes) -> Message:
    return Message.decode(encode_request(DWR, end_to_end=1, avps=avps))


def refused(message: Message, kind: type[AnswerableError] = PermanentFailure) -> AnswerableError:
    with pytest.raises(kind) as error:
        check_command(message, DWR)
    return error.value


def test_whole_message_and_unknown_optional_avps_pass() -> None:
    check_command(dwr(*ORIGIN, encode_avp(9999, b"x", flags=0)), DWR)


def test_unknown_mandatory_avp_is_5001_with_it() -> None:
    """RFC 6733 §4.1, M bit."""
    error = refused(dwr(*ORIGIN, encode_avp(9999, b"x")))
    assert (error.code, error.failed_avp) == (5001, encode_avp(9999, b"x"))


def test_missing_avp_is_5005_unless_it_may_lack() -> None:
    assert refused(dwr(ORIGIN[0])).code == 5005
    cer = [*ORIGIN, d.VENDOR_ID.encode(0), d.PRODUCT_NAME.encode("k")]
    message = Message.decode(encode_request(CER, end_to_end=1, avps=cer))
    check_command(message, CER, may_lack=(d.HOST_IP_ADDRESS,))


def test_second_of_what_may_be_there_once_is_5009_with_it() -> None:
    second = d.ORIGIN_STATE_ID.encode(2)
    error = refused(dwr(*ORIGIN, d.ORIGIN_STATE_ID.encode(1), second))
    assert (error.code, error.failed_avp) == (5009, second)


def test_a_v_bit_with_vendor_0_is_3009_with_the_avp_as_it_came() -> None:
    """RFC 6733 §4.1, §7.1.3; an AVP that is unknown or of a vendor is judged by its M bit alone."""
    odd = bytes.fromhex("00000116 c0000010 00000000 00000001")
    error = refused(dwr(*ORIGIN, odd), ProtocolFailure)
    assert (error.code, error.failed_avp) == (3009, odd)
    assert str(error) == "Origin-State-Id has the V bit, with vendor 0"
    check_avp_flags(dwr(bytes.fromhex("0000ea60 8000000c 00000000"), encode_avp(278, b"1234", 10415)))
