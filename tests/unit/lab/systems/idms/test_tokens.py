"""What a grant has found out becomes signed text."""

import pytest
from joserfc.jwk import ECKey

from lab.systems.idms.claims import user_subject
from lab.systems.idms.errors import InvalidGrant
from lab.systems.idms.keys import SigningKey
from lab.systems.idms.tokens import TYPE_JWT, Grant

NOW = 1_700_000_000.0
GRANT = Grant(user_subject("alice", ("sip:alice@mc1.lab",)), "mc-client", "openid 3gpp:mc:ptt_service", "n-1")


def test_a_token_response_has_an_access_token_for_the_resource_servers(primary) -> None:
    response = primary.issuer.token_response(GRANT, NOW, refreshable=False)
    header, claims = primary.key.verifier().verify(response["access_token"])
    assert header["typ"] == "at+jwt"
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("https://idms.mc1.lab", "cms.mc1.lab", "alice")
    assert claims["exp"] - claims["iat"] == response["expires_in"] == 3600
    assert (response["token_type"], response["scope"]) == ("Bearer", GRANT.scope)
    assert "refresh_token" not in response


def test_an_id_token_comes_with_openid_only(primary) -> None:
    response = primary.issuer.token_response(GRANT, NOW, refreshable=False)
    _, claims = primary.key.verifier().verify(response["id_token"])
    assert (claims["aud"], claims["nonce"]) == ("mc-client", "n-1")
    without = Grant(GRANT.subject, "mc-client", "3gpp:mc:ptt_service")
    assert "id_token" not in primary.issuer.token_response(without, NOW, refreshable=False)


def test_no_two_access_tokens_have_one_jti(primary) -> None:
    responses = [primary.issuer.token_response(GRANT, NOW, refreshable=False) for _ in range(2)]
    jtis = {primary.key.verifier().verify(response["access_token"])[1]["jti"] for response in responses}
    assert len(jtis) == 2


def test_a_refresh_token_serves_once_its_own_client(primary) -> None:
    text = primary.issuer.token_response(GRANT, NOW, refreshable=True)["refresh_token"]
    assert primary.issuer.take_refresh_token(text, "mc-client", NOW + 1) == GRANT
    with pytest.raises(InvalidGrant):
        primary.issuer.take_refresh_token(text, "mc-client", NOW + 1)
    text = primary.issuer.token_response(GRANT, NOW, refreshable=True)["refresh_token"]
    with pytest.raises(InvalidGrant):
        primary.issuer.take_refresh_token(text, "other", NOW + 1)


def test_a_refresh_token_lapses(primary) -> None:
    text = primary.issuer.token_response(GRANT, NOW, refreshable=True)["refresh_token"]
    with pytest.raises(InvalidGrant):
        primary.issuer.take_refresh_token(text, "mc-client", NOW + 86400)


def test_a_security_token_response_is_that_of_rfc_8693(primary) -> None:
    response = primary.issuer.security_token_response(
        GRANT.subject, client_id="mc-client", partner_issuer="https://idms.mc2.lab", now=NOW
    )
    assert (response["issued_token_type"], response["token_type"]) == (TYPE_JWT, "N_A")
    _, claims = primary.key.verifier().verify(response["access_token"])
    assert claims["aud"] == ["mc-client", "https://idms.mc2.lab"]


def test_only_an_access_token_of_ours_in_force_is_taken_back(primary) -> None:
    response = primary.issuer.token_response(GRANT, NOW, refreshable=False)
    assert primary.issuer.own_access_token(response["access_token"], NOW).sub == "alice"
    with pytest.raises(InvalidGrant, match="expired"):
        primary.issuer.own_access_token(response["access_token"], NOW + 3600)
    with pytest.raises(InvalidGrant, match="no access token"):
        primary.issuer.own_access_token(response["id_token"], NOW)
    stranger = SigningKey(ECKey.generate_key("P-256")).sign({"sub": "alice"}, "at+jwt")
    with pytest.raises(InvalidGrant, match="not signed"):
        primary.issuer.own_access_token(stranger, NOW)
