"""What the identity client reads and makes, without a wire (RFC 6749, 7636, 8693, 7523)."""

import base64
import json

import pytest

from ue_agent import identity_client as client
from ue_agent.errors import HttpError, TokenRefused

REDIRECT = "http://127.0.0.1/callback"


def test_code_challenge_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert client.code_challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_tokens_are_read_and_hidden() -> None:
    tokens = client.parse_tokens({"access_token": "a", "refresh_token": "r", "expires_in": 5, "scope": "x"})
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_in_s) == ("a", "r", 5)
    assert "'a'" not in repr(tokens) and "'r'" not in repr(tokens)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": 1},
        {"access_token": ""},
        {"access_token": "a\r\nX: y"},
        {"access_token": "a" * 20000},
        {"access_token": "a", "expires_in": -1},
        {"access_token": "a", "expires_in": "5"},
    ],
    ids=str,
)
def test_what_is_no_token_response(body) -> None:
    with pytest.raises(HttpError):
        client.parse_tokens(body)


def test_code_of_the_redirect() -> None:
    assert client.code_of_redirect(f"{REDIRECT}?code=c&state=s", REDIRECT, "s") == "c"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("", HttpError),
        ("https://evil.example/callback?code=c&state=s", HttpError),
        (f"{REDIRECT}?code=c&state=other", HttpError),
        (f"{REDIRECT}?state=s", HttpError),
        (f"{REDIRECT}?error=access_denied&state=s", TokenRefused),
    ],
)
def test_other_redirects_are_refused(location, error) -> None:
    with pytest.raises(error):
        client.code_of_redirect(location, REDIRECT, "s")


def test_login_form_is_read() -> None:
    page = '<p><form action="/login?x=1" method=post><input type="hidden" name="a" value="1&amp;2"><input name="b">'
    assert client.read_login_form(page) == client.LoginForm("/login?x=1", {"a": "1&2"})


def test_a_page_without_form() -> None:
    with pytest.raises(HttpError):
        client.read_login_form("<p>hello")


def id_token(**claims: object) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.s"


@pytest.mark.parametrize("audience", ["ue", ["x", "ue"]])
def test_id_token_for_us(audience) -> None:
    client.check_id_token(id_token(iss="i", aud=audience, nonce="n"), issuer="i", client_id="ue", nonce="n")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "a.W10.c",
        id_token(iss="other", aud="ue", nonce="n"),
        id_token(iss="i", aud="other", nonce="n"),
        id_token(iss="i", aud="ue", nonce="other"),
        id_token(iss="i", aud="ue"),
    ],
)
def test_id_token_for_others(token) -> None:
    with pytest.raises(HttpError):
        client.check_id_token(token, issuer="i", client_id="ue", nonce="n")
