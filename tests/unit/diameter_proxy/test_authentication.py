"""The scheme gate and the checks of a vector (TS 29.228 §6.3, TS 29.229 §6.3.13)."""

import pytest

from diameter_proxy.authentication import check_answer, gate_request
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.hot_path import locate
from diameter_proxy.routing import Refusal

AKA = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")


def item(*parts):
    return d.SIP_AUTH_DATA_ITEM.encode(b"".join(parts))


def scheme(text):
    return d.SIP_AUTHENTICATION_SCHEME.encode(text)


def gated(message):
    return gate_request(message, locate(message))


@pytest.mark.parametrize("text", ["Digest-AKAv1-MD5", "digest-akav2-sha-256", "DIGEST-AKAV1-MD5"])
def test_aka_in_any_case_passes_untouched(made, text):
    assert gated(made.mar(item=item(scheme(text)))) == []


def test_rand_and_auts_pass_untouched(made):
    assert gated(made.mar(item=item(AKA, d.SIP_AUTHORIZATION.encode(bytes(30))))) == []


@pytest.mark.parametrize(
    "octets",
    [
        item(scheme("SIP Digest")),
        item(d.SIP_AUTHORIZATION.encode(bytes(30))),
        item(AKA, AKA),
        item(b"\x00\x00\x02\x60"),
    ],
)
def test_anything_else_is_5006(made, octets):
    assert gated(made.mar(item=octets)).experimental == 5006


def test_no_item_is_5005_and_two_are_5009(made):
    assert gated(made.mar(item=b"")).result_code == 5005
    assert gated(made.mar(item=item(AKA) * 2)).result_code == 5009


def test_unknown_becomes_akav1_and_a_digest_header_is_dropped(made):
    message = made.mar(item=item(scheme("UNKNOWN"), d.SIP_AUTHORIZATION.encode(b'Digest username="u"')))
    assert [octets for _, octets in gated(message)] == [item(AKA)]


def test_one_vector_is_asked_for(made):
    assert [octets for _, octets in gated(made.mar(number=3))] == [d.SIP_NUMBER_AUTH_ITEMS.encode(1)]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((AKA, d.SIP_AUTHENTICATE.encode(bytes(31)), d.SIP_AUTHORIZATION.encode(bytes(8))), 5012),
        ((AKA, d.SIP_AUTHENTICATE.encode(bytes(32)), d.SIP_AUTHORIZATION.encode(bytes(17))), 5012),
        ((AKA, d.SIP_AUTHENTICATE.encode(bytes(32)), d.SIP_AUTHORIZATION.encode(bytes(3))), 5012),
        ((AKA, d.SIP_AUTHORIZATION.encode(bytes(8))), 5012),
        ((AKA, d.SIP_AUTHENTICATE.encode(bytes(32))), 5012),
        ((AKA, b"\x00\x00\x02\x60"), 5012),
        ((scheme("SIP Digest"),), 5006),
        ((d.SIP_AUTHENTICATE.encode(bytes(32)),), 5006),
    ],
)
def test_a_vector_that_is_none_is_not_passed_on(made, parts, code):
    message = made.maa(made.mar(), item=item(*parts))
    refusal = check_answer(message, locate(message))
    assert isinstance(refusal, Refusal)
    assert code in (refusal.result_code, refusal.experimental)


@pytest.mark.parametrize("octets", [4, 8, 16])
def test_xres_has_4_to_16_octets(made, octets):
    parts = (d.SIP_ITEM_NUMBER.encode(1), AKA, d.SIP_AUTHENTICATE.encode(bytes(32)))
    message = made.maa(made.mar(), item=item(*parts, d.SIP_AUTHORIZATION.encode(bytes(octets))))
    assert check_answer(message, locate(message)) == []


def test_no_item_is_5006_and_two_are_5012(made):
    none, two = made.maa(made.mar(), item=b""), made.maa(made.mar(), item=made.vector() * 2)
    assert check_answer(none, locate(none)).experimental == 5006
    assert check_answer(two, locate(two)).result_code == 5012


def test_a_missing_item_number_is_added_before_what_is_there(made):
    parts = (AKA, d.SIP_AUTHENTICATE.encode(bytes(32)), d.SIP_AUTHORIZATION.encode(bytes(8)))
    message = made.maa(made.mar(), item=item(*parts))
    assert [octets for _, octets in check_answer(message, locate(message))] == [
        item(d.SIP_ITEM_NUMBER.encode(1), *parts)
    ]
