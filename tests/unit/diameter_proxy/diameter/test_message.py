"""Messages as values, and the answers to requests of every sort (RFC 6733 §6.2, §7.2)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, MAR
from diameter_proxy.diameter.errors import DiameterError, FramingLost, PermanentFailure
from diameter_proxy.diameter.message import AVPS_MAX, Message, encode_answer, encode_failure, encode_request
from diameter_proxy.diameter.values import AuthSessionState
from diameter_proxy.diameter.wire import encode_avp, encode_message

ORIGIN = {"origin_host": "hss.mc1.lab", "origin_realm": "ims.mc1.lab"}
VSAI = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(10415) + d.AUTH_APPLICATION_ID.encode(16777216))
ITEM = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5"))
AVPS = [
    d.SESSION_ID.encode("scscf;1;2"),
    VSAI,
    d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
    d.USER_NAME.encode("u@ims"),
    d.PUBLIC_IDENTITY.encode("sip:u@ims"),
    d.PUBLIC_IDENTITY.encode("sip:v@ims"),
    ITEM,
    d.PROXY_INFO.encode(d.PROXY_HOST.encode("a") + d.PROXY_STATE.encode(b"1")),
    d.PROXY_INFO.encode(d.PROXY_HOST.encode("b") + d.PROXY_STATE.encode(b"2")),
]
REQUEST = encode_request(MAR, hop_by_hop=7, end_to_end=8, avps=AVPS, retransmitted=True)


def test_values_are_read_by_type() -> None:
    message = Message.decode(REQUEST)
    assert message.get(d.USER_NAME) == "u@ims"
    assert message.require(d.PUBLIC_IDENTITY) == "sip:u@ims"
    assert message.all(d.PUBLIC_IDENTITY) == ["sip:u@ims", "sip:v@ims"]
    assert message.get(d.SERVER_NAME) is None
    assert message.header.is_retransmitted
    item = message.group(d.SIP_AUTH_DATA_ITEM)
    assert item is not None
    assert item.get(d.SIP_AUTHENTICATION_SCHEME) == "Digest-AKAv1-MD5"
    assert message.group(d.SERVER_CAPABILITIES) is None
    assert [group.require(d.PROXY_HOST) for group in message.groups(d.PROXY_INFO)] == ["a", "b"]


def test_missing_avp_is_5005_with_an_example_of_it() -> None:
    """RFC 6733 §7.5."""
    with pytest.raises(PermanentFailure) as missing:
        Message.decode(REQUEST).require(d.SERVER_ASSIGNMENT_TYPE)
    assert missing.value.code == 5005
    assert missing.value.failed_avp == d.SERVER_ASSIGNMENT_TYPE.example()


def test_length_field_that_lies_is_5015() -> None:
    for octets in (REQUEST + bytes(4), REQUEST[:1] + (len(REQUEST) + 1).to_bytes(3, "big") + REQUEST[4:] + b"\0"):
        with pytest.raises(PermanentFailure) as refused:
            Message.decode(octets)
        assert refused.value.code == 5015


def test_more_avps_than_the_limit_are_5012() -> None:
    avp = encode_avp(1, b"abcd")
    Message.decode(encode_message(0x80, 1, 0, 0, 0, [avp] * AVPS_MAX))
    with pytest.raises(PermanentFailure) as refused:
        Message.decode(encode_message(0x80, 1, 0, 0, 0, [avp] * (AVPS_MAX + 1)))
    assert refused.value.code == 5012


def test_answer_keeps_what_rfc_6733_6_2_wants_kept() -> None:
    answer = Message.decode(encode_answer(REQUEST, **ORIGIN, result_code=2001, avps=[d.USER_NAME.encode("u@ims")]))
    assert answer.header[1:] == (0x40, 303, 16777216, 7, 8)
    assert [span.code for span in answer.spans] == [263, 260, 268, 277, 264, 296, 1, 284, 284]
    assert answer.get(d.SESSION_ID) == "scscf;1;2"
    assert [group.require(d.PROXY_HOST) for group in answer.groups(d.PROXY_INFO)] == ["a", "b"]
    assert answer.result() == (0, 2001)


def test_a_cea_says_nothing_of_the_applications_that_the_cer_names() -> None:
    """RFC 6733 §5.3.2: it names those of who answers."""
    cer = encode_request(CER, end_to_end=1, avps=[VSAI])
    cea = Message.decode(encode_answer(cer, **ORIGIN, result_code=2001))
    assert [span.code for span in cea.spans] == [268, 264, 296]


def test_experimental_result_names_3gpp() -> None:
    answer = Message.decode(encode_answer(Message.decode(REQUEST), **ORIGIN, experimental=5001))
    assert answer.get(d.RESULT_CODE) is None
    assert answer.result() == (10415, 5001)


def test_answer_without_a_result_has_none() -> None:
    assert Message.decode(encode_answer(REQUEST, **ORIGIN)).result() is None


def test_protocol_error_sets_the_e_bit_and_failed_avp_is_grouped() -> None:
    answer = Message.decode(encode_answer(REQUEST, **ORIGIN, result_code=3002, failed_avp=d.USER_NAME.encode("u@ims")))
    assert answer.header.is_error
    failed = answer.group(d.FAILED_AVP)
    assert failed is not None
    assert failed.get(d.USER_NAME) == "u@ims"


def test_request_that_cannot_be_read_to_its_end_is_answered_all_the_same() -> None:
    broken = encode_message(0xC0, 303, 16777216, 7, 8, [*AVPS[:1], encode_avp(1, b"abcd")[:-4]])
    with pytest.raises(PermanentFailure) as refused:
        Message.decode(broken)
    answer = Message.decode(encode_failure(broken, refused.value, **ORIGIN))
    assert answer.result() == (0, 5014)
    assert answer.get(d.SESSION_ID) == "scscf;1;2"
    assert answer.get(d.ERROR_MESSAGE) == str(refused.value)
    assert answer.group(d.FAILED_AVP) is not None


def test_answer_to_a_flood_of_proxy_infos_is_bounded() -> None:
    flood = encode_message(0xC0, 303, 0, 1, 2, [encode_avp(284, b"")] * 2000)
    assert len(encode_answer(flood, **ORIGIN)) < len(flood) / 3


def test_what_has_no_header_cannot_be_answered() -> None:
    with pytest.raises(FramingLost):
        encode_answer(b"", **ORIGIN, result_code=5012)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=120))
def test_any_octets_give_a_message_or_a_documented_error(body: bytes) -> None:
    octets = b"\1" + (20 + len(body)).to_bytes(3, "big") + REQUEST[4:20] + body
    try:
        message = Message.decode(octets)
        message.result()
        message.group(d.SIP_AUTH_DATA_ITEM)
        for avp in d.ALL:
            message.all(avp)
    except DiameterError:
        pass
    assert Message.decode(encode_answer(octets, **ORIGIN, result_code=5012)).header.end_to_end == 8
