"""Capabilities both ways, and what two nodes have in common (RFC 6733 §5.3)."""

import ipaddress
from dataclasses import replace

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.capabilities import Capabilities, check_common, decode_capabilities, encode_capabilities
from diameter_proxy.diameter.commands import CEA, CER, RELAY
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import InbandSecurityId

CX = Capabilities(
    "proxy1.mc1.lab",
    "ims.mc1.lab",
    (ipaddress.ip_address("10.77.1.14"),),
    product_name="mc-migration",
    origin_state_id=5,
    supported_vendor_ids=(10415,),
    auth_application_ids=(1,),
    acct_application_ids=(3,),
    vendor_specific_applications=((10415, 16777216),),
    inband_security_ids=(InbandSecurityId.NO_INBAND_SECURITY,),
)


def cer(capabilities: Capabilities, *more: bytes) -> Message:
    origin = [d.ORIGIN_HOST.encode(capabilities.origin_host), d.ORIGIN_REALM.encode(capabilities.origin_realm)]
    return Message.decode(encode_request(CER, end_to_end=1, avps=[*origin, *encode_capabilities(capabilities), *more]))


def test_decoding_is_the_inverse_of_encoding() -> None:
    assert decode_capabilities(cer(CX)) == CX
    silent = replace(CX, origin_state_id=None)
    assert decode_capabilities(cer(silent)) == silent
    assert CX.application_ids == {1, 3, 16777216}


def test_cea_is_read_alike() -> None:
    origin = [d.ORIGIN_HOST.encode("a"), d.ORIGIN_REALM.encode("b")]
    avps = [d.RESULT_CODE.encode(2001), *origin, *encode_capabilities(CX)]
    message = Message.decode(encode_request(CEA, end_to_end=1, avps=avps))
    assert decode_capabilities(message).origin_host == "a"


def test_acct_application_in_the_vendor_specific_one_counts() -> None:
    """RFC 6733 §6.11."""
    inside = d.VENDOR_ID.encode(10415) + d.ACCT_APPLICATION_ID.encode(9)
    message = cer(CX, d.VENDOR_SPECIFIC_APPLICATION_ID.encode(inside))
    assert decode_capabilities(message).vendor_specific_applications[-1] == (10415, 9)


def test_vendor_specific_application_without_application_is_5005() -> None:
    """RFC 6733 §6.11: Failed-AVP holds an example of both."""
    message = cer(CX, d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(10415)))
    with pytest.raises(PermanentFailure) as refused:
        decode_capabilities(message)
    assert refused.value.code == 5005
    assert refused.value.failed_avp == d.AUTH_APPLICATION_ID.example() + d.ACCT_APPLICATION_ID.example()


AUTH, ACCT = d.AUTH_APPLICATION_ID.encode(16777216), d.ACCT_APPLICATION_ID.encode(16777216)


@pytest.mark.parametrize(
    ("inside", "failed"),
    [
        (AUTH + ACCT, AUTH + ACCT),
        (ACCT + AUTH + AUTH, ACCT + AUTH),
        (AUTH + d.AUTH_APPLICATION_ID.encode(4), d.AUTH_APPLICATION_ID.encode(4)),
    ],
    ids=["Auth and Acct", "Acct, Auth and one more", "Auth twice"],
)
def test_vendor_specific_application_with_two_application_ids_is_5009(inside: bytes, failed: bytes) -> None:
    """RFC 6733 §6.11: with those that came; §7.1.5: of two of a kind, with the one too many."""
    message = cer(CX, d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(10415) + inside))
    with pytest.raises(PermanentFailure) as refused:
        decode_capabilities(message)
    assert (refused.value.code, refused.value.failed_avp) == (5009, failed)


def test_nothing_in_common_is_5010_and_a_relay_has_all_in_common() -> None:
    """RFC 6733 §5.3: relay agents advertise 0xffffffff."""
    other = replace(CX, vendor_specific_applications=((10415, 4),), auth_application_ids=(), acct_application_ids=())
    with pytest.raises(PermanentFailure) as refused:
        check_common(CX, other, is_secured=False)
    assert refused.value.code == 5010
    check_common(CX, CX, is_secured=False)
    check_common(CX, replace(other, auth_application_ids=(RELAY,)), is_secured=False)


def test_inband_tls_alone_is_5017_unless_tls_is_there_already() -> None:
    """RFC 6733 §6.10, §13.1."""
    only_tls = replace(CX, inband_security_ids=(InbandSecurityId.TLS,))
    with pytest.raises(PermanentFailure) as refused:
        check_common(CX, only_tls, is_secured=False)
    assert refused.value.code == 5017
    check_common(CX, only_tls, is_secured=True)
    check_common(CX, replace(CX, inband_security_ids=()), is_secured=False)
