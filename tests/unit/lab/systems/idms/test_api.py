"""HTTP of the identity management server, in memory."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.testclient import TestClient

from lab.systems.idms.api import IdentityManagementServer

NOW = 1_700_000_000.0
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
LOGIN = {"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "alice-secret"}
AUTHORIZE = {
    "response_type": "code",
    "client_id": "mc-client",
    "redirect_uri": "mcclient:/callback",
    "scope": "openid",
    "state": "<s>",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def client(primary, partner) -> TestClient:
    keys = {"https://idms.mc2.lab": partner.key.verifier()}
    server = IdentityManagementServer(primary.config, primary.key, keys, clock=lambda: NOW)
    return TestClient(server.application(), base_url="https://idms.mc1.lab", follow_redirects=False)


def test_discovery_names_the_endpoints_and_the_key_set_verifies_a_token(client: TestClient) -> None:
    document = client.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == "https://idms.mc1.lab"
    assert document["code_challenge_methods_supported"] == ["S256"]
    keys = KeySet.import_key_set(client.get(urlsplit(document["jwks_uri"]).path).json())
    response = client.post(urlsplit(document["token_endpoint"]).path, data=LOGIN)
    assert response.headers["cache-control"] == "no-store"
    assert jwt.decode(response.json()["access_token"], keys, algorithms=["ES256"]).claims["sub"] == "alice"


def test_a_code_flow_with_pkce_ends_with_tokens(client: TestClient) -> None:
    """TS 33.180 B.4.2."""
    form = client.get("/authorize", params=AUTHORIZE)
    assert form.status_code == 200
    assert "&lt;s&gt;" in form.text
    assert "frame-ancestors 'none'" in form.headers["content-security-policy"]
    answer = client.post("/authorize", data={**AUTHORIZE, "username": "alice", "password": "alice-secret"})
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == ["<s>"]
    token = {
        "grant_type": "authorization_code",
        "client_id": "mc-client",
        "redirect_uri": "mcclient:/callback",
        "code": query["code"][0],
        "code_verifier": VERIFIER,
    }
    assert client.post("/token", data=token).status_code == 200
    assert client.post("/token", data=token).json()["error"] == "invalid_grant"


def test_a_wrong_password_shows_the_form_again(client: TestClient) -> None:
    answer = client.post("/authorize", data={**AUTHORIZE, "username": "alice", "password": "wrong"})
    assert answer.status_code == 401
    assert "user name or password is wrong" in answer.text


def test_an_unregistered_redirect_uri_is_not_redirected_to(client: TestClient) -> None:
    answer = client.get("/authorize", params={**AUTHORIZE, "redirect_uri": "https://evil.example/"})
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_a_refusal_that_concerns_the_client_goes_back_to_it(client: TestClient) -> None:
    answer = client.get("/authorize", params={**AUTHORIZE, "code_challenge_method": "plain"})
    assert answer.status_code == 303
    assert "error=invalid_request" in answer.headers["location"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"", "application/x-www-form-urlencoded", 400, "invalid_request"),
        (b"{}", "application/json", 400, "invalid_request"),
        (b"grant_type=password&grant_type=password", "application/x-www-form-urlencoded", 400, "invalid_request"),
        (b"\xff=1", "application/x-www-form-urlencoded", 400, "invalid_request"),
        (b"a=%ff", "application/x-www-form-urlencoded", 400, "invalid_request"),
        (b"&".join(b"p%d=1" % i for i in range(40)), "application/x-www-form-urlencoded", 400, "invalid_request"),
        (b"a=" + b"x" * 40_000, "application/x-www-form-urlencoded", 413, "invalid_request"),
        (b"grant_type=other", "application/x-www-form-urlencoded", 400, "unsupported_grant_type"),
        (b"grant_type=password&client_id=x", "application/x-www-form-urlencoded", 401, "invalid_client"),
    ],
)
def test_a_bad_token_request_gets_the_error_of_rfc_6749(
    client: TestClient, body: bytes, content_type: str, status: int, error: str
) -> None:
    answer = client.post("/token", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@given(
    st.dictionaries(
        st.sampled_from(["grant_type", "client_id", "assertion", "code", "scope", "subject_token"]), st.text()
    )
)
@settings(deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_parameters_get_an_oauth_error(client: TestClient, parameters: dict[str, str]) -> None:
    answer = client.post("/token", data=parameters)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"].startswith(("invalid_", "unsupported_"))


def test_no_token_password_or_code_is_logged(client: TestClient) -> None:
    with structlog.testing.capture_logs() as events:
        response = client.post("/token", data=LOGIN).json()
        client.post("/token", data={**LOGIN, "password": "wrong-secret"})
        answer = client.post("/authorize", data={**AUTHORIZE, "username": "alice", "password": "alice-secret"})
    logged = json.dumps(events, default=str)
    assert {event["event"] for event in events} == {"token.issued", "token.refused", "code.issued"}
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    for secret in (response["access_token"], response["refresh_token"], "secret", code):
        assert secret not in logged
