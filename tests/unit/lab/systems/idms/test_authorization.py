"""The authorization endpoint (RFC 6749 §4.1, RFC 7636)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from lab.systems.idms.authorization import RefusedByRedirect, s256
from lab.systems.idms.errors import InvalidClient, InvalidGrant, InvalidRequest

NOW = 1_700_000_000.0
# RFC 7636 Appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
REQUEST = {
    "response_type": "code",
    "client_id": "mc-client",
    "redirect_uri": "mcclient:/callback",
    "scope": "openid 3gpp:mc:ptt_service",
    "state": "s-1",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def issue(primary, now: float = NOW) -> str:
    location = primary.authorization.issue_code(primary.authorization.check(REQUEST), "alice", "alice-secret", now)
    return parse_qs(urlsplit(location).query)["code"][0]


def take(primary, code: str, now: float = NOW, **changes: str):
    call = {"client_id": "mc-client", "redirect_uri": "mcclient:/callback", "code_verifier": VERIFIER, **changes}
    return primary.authorization.take_code(code, **call, now=now)


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    assert s256(VERIFIER) == CHALLENGE


def test_a_login_redirects_with_code_state_and_issuer(primary) -> None:
    location = primary.authorization.issue_code(primary.authorization.check(REQUEST), "alice", "alice-secret", NOW)
    assert location.startswith("mcclient:/callback?")
    answer = parse_qs(urlsplit(location).query)
    assert (answer["state"], answer["iss"]) == (["s-1"], ["https://idms.mc1.lab"])
    assert len(answer["code"][0]) >= 43


def test_a_code_gives_its_grant_once(primary) -> None:
    code = issue(primary)
    grant = take(primary, code)
    assert (grant.subject.sub, grant.scope, grant.nonce) == ("alice", "openid 3gpp:mc:ptt_service", "n-1")
    with pytest.raises(InvalidGrant, match="used"):
        take(primary, code)


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "other"}, {"redirect_uri": "mcclient:/other"}, {"code_verifier": "x" * 43}, {"code_verifier": "é"}],
)
def test_a_code_is_of_no_use_to_another_and_is_used_up(primary, changes: dict[str, str]) -> None:
    code = issue(primary)
    with pytest.raises(InvalidGrant):
        take(primary, code, **changes)
    with pytest.raises(InvalidGrant, match="used"):
        take(primary, code)


def test_a_code_expires(primary) -> None:
    code = issue(primary)
    with pytest.raises(InvalidGrant, match="expired"):
        take(primary, code, NOW + 60)


def test_a_wrong_password_gives_no_code(primary) -> None:
    with pytest.raises(InvalidGrant):
        primary.authorization.issue_code(primary.authorization.check(REQUEST), "alice", "wrong", NOW)


def test_an_unregistered_client_or_redirect_uri_is_never_redirected_to(primary) -> None:
    with pytest.raises(InvalidClient):
        primary.authorization.check({**REQUEST, "client_id": "other"})
    with pytest.raises(InvalidRequest, match="redirect_uri"):
        primary.authorization.check({**REQUEST, "redirect_uri": "https://evil.example/"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "other"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_other_refusals_go_back_to_the_client(primary, changes: dict[str, str], error: str) -> None:
    with pytest.raises(RefusedByRedirect) as raised:
        primary.authorization.check({**REQUEST, **changes})
    assert raised.value.error == error
    answer = parse_qs(urlsplit(raised.value.location).query)
    assert (answer["error"], answer["state"]) == ([error], ["s-1"])
