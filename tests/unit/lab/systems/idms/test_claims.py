"""Claims of the tokens (TS 33.180 Annex B)."""

import pytest

from lab.systems.idms.claims import (
    Subject,
    access_token_claims,
    granted_scope,
    id_token_claims,
    migrated_subject,
    security_token_claims,
    user_subject,
)
from lab.systems.idms.config import Partner
from lab.systems.idms.errors import InvalidGrant, InvalidScope

ALICE = Subject("alice", {"mcptt_id": "sip:alice@mc1.lab"})


def partner(**changes: object) -> Partner:
    return Partner.model_validate({"issuer": "https://idms.mc1.lab", "jwks_file": "mc1.json", **changes})


def test_one_mc_service_id_serves_all_services() -> None:
    ids = user_subject("alice", ("sip:alice@mc1.lab",)).mc_service_ids
    assert ids == dict.fromkeys(("mcptt_id", "mcvideo_id", "mcdata_id"), "sip:alice@mc1.lab")


def test_several_mc_service_ids_are_those_of_mcptt_mcvideo_and_mcdata() -> None:
    assert user_subject("a", ("sip:p@x", "sip:v@x")).mc_service_ids == {"mcptt_id": "sip:p@x", "mcvideo_id": "sip:v@x"}


def test_an_access_token_has_the_claims_of_annex_b_2_2() -> None:
    claims = access_token_claims(
        ALICE, issuer="i", audiences=("cms",), client_id="c", scope="openid", jti="j", iat=1, exp=2
    )
    assert claims == {
        "iss": "i", "sub": "alice", "aud": "cms", "client_id": "c", "scope": "openid", "iat": 1, "exp": 2, "jti": "j",
        "mcptt_id": "sip:alice@mc1.lab",
    }  # fmt: skip


def test_an_id_token_is_for_the_client_and_repeats_the_nonce() -> None:
    claims = id_token_claims(ALICE, issuer="i", client_id="c", nonce="n", iat=1, exp=2)
    assert (claims["aud"], claims["nonce"], claims["mcptt_id"]) == ("c", "n", "sip:alice@mc1.lab")
    assert "nonce" not in id_token_claims(ALICE, issuer="i", client_id="c", nonce=None, iat=1, exp=2)


def test_a_security_token_is_for_the_client_and_the_partner() -> None:
    """TS 33.180 B.8: aud holds the client_id and the address of the target IdMS."""
    claims = security_token_claims(ALICE, issuer="i", client_id="c", partner_issuer="p", jti="j", iat=1, exp=2)
    assert claims["aud"] == ["c", "p"]
    assert {"iss", "sub", "exp", "iat", "jti", "mcptt_id"} <= set(claims)


def test_scope_is_what_was_asked_and_may_be_granted() -> None:
    assert granted_scope("openid other openid 3gpp:mc:ptt_service") == "openid 3gpp:mc:ptt_service"
    assert "3gpp:mc:ptt_config_management_service" in granted_scope(None).split()
    assert granted_scope("openid", ["openid"]) == "openid"
    with pytest.raises(InvalidScope):
        granted_scope("other")


def test_a_migrated_user_keeps_the_mc_service_id_and_gets_a_subject_of_its_own() -> None:
    subject = migrated_subject({"sub": "alice", **ALICE.mc_service_ids}, partner(), frozenset())
    assert subject == Subject("https://idms.mc1.lab#alice", {"mcptt_id": "sip:alice@mc1.lab"})


def test_a_migrated_user_gets_the_mc_service_id_that_was_agreed() -> None:
    agreed = partner(mc_service_id_mapping="listed", mc_service_ids={"sip:alice@mc1.lab": "sip:guest@mc2.lab"})
    assert migrated_subject({"sub": "a", **ALICE.mc_service_ids}, agreed, frozenset()).mc_service_ids == {
        "mcptt_id": "sip:guest@mc2.lab"
    }
    with pytest.raises(InvalidGrant, match="agreed for that user"):
        migrated_subject({"sub": "a", "mcptt_id": "sip:carol@mc1.lab"}, agreed, frozenset())


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"sub": "a"}, "no MC service ID"),
        ({"sub": "a", "mcptt_id": 1}, "no MC service ID"),
        ({"sub": "a", "mcptt_id": "sip:bob@mc2.lab"}, "outside the domains"),
        ({"sub": "a", "mcptt_id": "urn:uuid:1"}, "outside the domains"),
        ({"sub": "a" * 255, "mcptt_id": "sip:alice@mc1.lab"}, "255 octets"),
    ],
)
def test_a_partner_may_not_assert_anything(claims: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidGrant, match=message):
        migrated_subject(claims, partner(mc_service_id_domains=("mc1.lab",)), frozenset())


def test_a_partner_may_not_assert_one_of_our_own_users() -> None:
    with pytest.raises(InvalidGrant, match="own users"):
        migrated_subject({"sub": "a", "mcptt_id": "sip:bob@mc2.lab"}, partner(), frozenset({"sip:bob@mc2.lab"}))
