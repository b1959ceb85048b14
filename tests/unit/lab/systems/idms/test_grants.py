"""The token endpoint: one test per grant and per refusal."""

import pytest

from lab.systems.idms.errors import (
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    OAuthError,
    UnsupportedGrantType,
)
from lab.systems.idms.grants import JWT_BEARER, TOKEN_EXCHANGE
from lab.systems.idms.tokens import TYPE_ACCESS, TYPE_JWT

NOW = 1_700_000_000.0
MC2 = "https://idms.mc2.lab"


def exchange(primary, access_token: str, now: float = NOW, **changes: str) -> dict:
    return primary.endpoint.grant(
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": access_token,
            "subject_token_type": TYPE_ACCESS,
            "audience": MC2,
            "requested_token_type": TYPE_JWT,
            **changes,
        },
        now,
    )


def bear(partner, assertion: str, now: float = NOW, **changes: str) -> dict:
    call = {"grant_type": JWT_BEARER, "assertion": assertion, "client_id": "mc-client", **changes}
    return partner.endpoint.grant(call, now)


def test_a_password_gives_tokens(primary) -> None:
    response = primary.log_in(scope="openid 3gpp:mc:ptt_config_management_service")
    assert {"access_token", "id_token", "refresh_token", "expires_in"} <= set(response)
    assert response["scope"] == "openid 3gpp:mc:ptt_config_management_service"


def test_a_refresh_token_gives_new_tokens_of_no_wider_scope(primary) -> None:
    response = primary.log_in(scope="openid 3gpp:mc:ptt_service")
    refresh = {"grant_type": "refresh_token", "client_id": "mc-client", "refresh_token": response["refresh_token"]}
    again = primary.endpoint.grant(refresh, NOW + 1)
    assert again["scope"] == "openid 3gpp:mc:ptt_service"
    assert again["refresh_token"] != response["refresh_token"]
    with pytest.raises(InvalidGrant):
        primary.endpoint.grant(refresh, NOW + 2)
    wider = {**refresh, "refresh_token": again["refresh_token"], "scope": "3gpp:mc:video_service"}
    with pytest.raises(InvalidScope):
        primary.endpoint.grant(wider, NOW + 3)


def test_an_access_token_becomes_a_security_token_and_that_a_partner_access_token(primary, partner) -> None:
    """TS 33.180 B.7: 10.6.2 step 1 of a migrating user."""
    security_token = exchange(primary, primary.log_in()["access_token"])["access_token"]
    response = bear(partner, security_token, scope="3gpp:mc:ptt_service")
    _, claims = partner.key.verifier().verify(response["access_token"])
    assert (claims["iss"], claims["aud"], claims["mcptt_id"]) == (MC2, "cms.mc2.lab", "sip:alice@mc1.lab")
    assert claims["sub"] == "https://idms.mc1.lab#alice"
    assert "refresh_token" not in response


def test_resource_names_the_target_as_well(primary) -> None:
    """TS 33.180 B.7.2 calls it resource."""
    token = primary.log_in()["access_token"]
    assert exchange(primary, token, audience="", resource=MC2)["access_token"]
    assert exchange(primary, token, resource=MC2)["access_token"]
    with pytest.raises(InvalidTarget):
        exchange(primary, token, resource="https://idms.mc3.lab")


def test_a_security_token_is_not_taken_by_another_server_than_the_named(primary) -> None:
    security_token = exchange(primary, primary.log_in()["access_token"])["access_token"]
    with pytest.raises(InvalidGrant):
        bear(primary, security_token)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"audience": "https://idms.mc3.lab"}, InvalidTarget),
        ({"audience": ""}, InvalidRequest),
        ({"subject_token": ""}, InvalidRequest),
        ({"subject_token": "junk"}, InvalidGrant),
        ({"subject_token_type": TYPE_JWT}, InvalidRequest),
        ({"requested_token_type": TYPE_ACCESS}, InvalidRequest),
        ({"actor_token": "x"}, InvalidRequest),
        ({"client_id": "other"}, InvalidGrant),
    ],
)
def test_a_token_exchange_that_is_not_as_agreed_is_refused(primary, changes: dict, refusal: type[OAuthError]) -> None:
    with pytest.raises(refusal):
        exchange(primary, primary.log_in()["access_token"], **changes)


def test_a_migrated_user_s_token_is_not_exchanged_further(primary, partner) -> None:
    security_token = exchange(primary, primary.log_in()["access_token"])["access_token"]
    access_token = bear(partner, security_token)["access_token"]
    with pytest.raises(InvalidGrant, match="user of this system"):
        exchange(partner, access_token, audience="https://idms.mc1.lab")


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ({}, InvalidRequest),
        ({"grant_type": "client_credentials"}, UnsupportedGrantType),
        ({"grant_type": "password"}, InvalidRequest),
        ({"grant_type": "password", "client_id": "other"}, InvalidClient),
        ({"grant_type": "password", "client_id": "mc-client", "username": "alice"}, InvalidRequest),
        ({"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "x"}, InvalidGrant),
        ({"grant_type": "authorization_code", "client_id": "mc-client"}, InvalidRequest),
        ({"grant_type": "refresh_token", "client_id": "mc-client", "refresh_token": "x"}, InvalidGrant),
        ({"grant_type": JWT_BEARER, "client_id": "mc-client"}, InvalidRequest),
        ({"grant_type": JWT_BEARER, "client_id": "other", "assertion": "x"}, InvalidClient),
        ({"grant_type": JWT_BEARER, "client_id": "mc-client", "assertion": "x"}, InvalidGrant),
    ],
)
def test_each_refusal_has_its_class(primary, parameters: dict[str, str], refusal: type[OAuthError]) -> None:
    with pytest.raises(refusal):
        primary.endpoint.grant(parameters, NOW)
