"""Texts of messages are read as they stand; what is of another form is empty."""

from types import SimpleNamespace

import pytest

from lab.evidence.texts import (
    bearer_of,
    claims_of,
    digest_parameters,
    form_of,
    is_registering,
    is_third_party,
    kid_of,
    uri_of,
)


def test_parameters_are_named_in_lower_case_quoted_or_not() -> None:
    header = 'Digest Username="a\\"b", algorithm=AKAv1-MD5, nonce = "", uri="sip:x,y"'
    assert digest_parameters(header) == {"username": 'a\\"b', "algorithm": "AKAv1-MD5", "nonce": "", "uri": "sip:x,y"}


@pytest.mark.parametrize("token", ["", "a.b", "e30.####.x", "e30.W10.x", "e30.AAAA.x"])
def test_what_is_no_token_claims_nothing(token: str) -> None:
    assert claims_of(token) == {}


@pytest.mark.parametrize("token", ["", "a.b", "####.e30.x", "W10.e30.x", "AAAA.e30.x", "e30.e30.x", "e30"])
def test_what_is_no_token_names_no_key(token: str) -> None:
    assert kid_of(token) == ""


def test_a_token_names_its_key() -> None:
    assert kid_of("eyJraWQiOiJrMSJ9.e30.x") == "k1"


@pytest.mark.parametrize("header", ['"A" <sip:a@x;user=phone>;tag=1', "sip:a@x;tag=1", "<sip:a@x>"])
def test_a_uri_is_without_parameters(header: str) -> None:
    assert uri_of(header) == "sip:a@x"


def test_a_form_and_a_bearer_token_are_read(make: SimpleNamespace) -> None:
    message = make.http(1, "ue", "idms1", "/token", "grant_type=password&x=%40", authorization="bearer abc")
    assert form_of(message) == {"grant_type": "password", "x": "@"}
    assert bearer_of(message) == "abc"
    assert bearer_of(make.http(1, "ue", "idms1", "/token", authorization="Basic abc")) == ""


@pytest.mark.parametrize(
    ("headers", "registering"), [({}, True), ({"expires": "0"}, False), ({"contact": "<sip:a>;expires = 0"}, False)]
)
def test_expires_0_is_no_registration(make: SimpleNamespace, headers: dict[str, str], registering: bool) -> None:
    assert is_registering(make.sip(1, "ue", "pcscf", "REGISTER", **headers)) is registering


@pytest.mark.parametrize(
    ("sender", "is_for_another"), [("<sip:scscf:6060>;tag=1", True), ("<sip:a@x>;tag=1", False), ("", False)]
)
def test_who_registers_another_says_so_in_from(make: SimpleNamespace, sender: str, *, is_for_another: bool) -> None:
    given = {"from": sender} if sender else {}
    assert is_third_party(make.sip(1, "ue", "pcscf", "REGISTER", to="<sip:a@x>", **given)) is is_for_another
