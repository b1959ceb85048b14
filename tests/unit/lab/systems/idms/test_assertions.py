"""A security token of another system is checked at the partner (RFC 7523 §3)."""

from typing import Any

import pytest
from joserfc.jwk import ECKey

from lab.systems.idms.assertions import AssertionChecker
from lab.systems.idms.errors import InvalidGrant, TemporarilyUnavailable
from lab.systems.idms.keys import SigningKey

NOW = 1_700_000_000.0
CLAIMS: dict[str, Any] = {
    "iss": "https://idms.mc1.lab",
    "sub": "alice",
    "aud": ["mc-client", "https://idms.mc2.lab"],
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "j-1",
    "mcptt_id": "sip:alice@mc1.lab",
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_a_security_token_of_the_primary_gives_the_migrated_user(primary, partner) -> None:
    subject = partner.assertions.subject_of(primary.key.sign(CLAIMS), "mc-client", NOW)
    assert subject.sub == "https://idms.mc1.lab#alice"
    assert subject.mc_service_ids == {"mcptt_id": "sip:alice@mc1.lab"}


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({**CLAIMS, "iss": "https://idms.mc3.lab"}, "iss"),
        (without("iss"), "iss"),
        (without("sub"), "sub or jti"),
        (without("jti"), "sub or jti"),
        ({**CLAIMS, "jti": 7}, "sub or jti"),
        ({**CLAIMS, "aud": "https://idms.mc3.lab"}, "this server"),
        ({**CLAIMS, "aud": {"a": 1}}, "this server"),
        (without("aud"), "this server"),
        ({**CLAIMS, "aud": "https://idms.mc2.lab"}, "this client"),
        (without("exp"), "iat or exp"),
        ({**CLAIMS, "exp": "soon"}, "iat or exp"),
        ({**CLAIMS, "exp": True}, "iat or exp"),
        ({**CLAIMS, "exp": float("nan")}, "expired"),
        ({**CLAIMS, "iat": float("nan")}, "future"),
        ({**CLAIMS, "exp": NOW - 30}, "expired"),
        ({**CLAIMS, "iat": NOW + 31, "exp": NOW + 120}, "future"),
        ({**CLAIMS, "exp": NOW + 86400}, "over an hour"),
        ({**CLAIMS, "mcptt_id": "sip:bob@mc2.lab"}, "own users"),
        (without("mcptt_id"), "no MC service ID"),
    ],
)
def test_what_is_not_as_agreed_is_refused(primary, partner, claims: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidGrant, match=message):
        partner.assertions.subject_of(primary.key.sign(claims), "mc-client", NOW)


def test_a_stranger_s_signature_is_refused(partner) -> None:
    stranger = SigningKey(ECKey.generate_key("P-256"))
    with pytest.raises(InvalidGrant, match="no partner"):
        partner.assertions.subject_of(stranger.sign(CLAIMS), "mc-client", NOW)


def test_a_replay_is_refused_as_long_as_the_assertion_would_be_valid(primary, partner) -> None:
    assertion = primary.key.sign(CLAIMS)
    partner.assertions.subject_of(assertion, "mc-client", NOW)
    for later_s in (0, 119, 149):
        with pytest.raises(InvalidGrant, match="used before"):
            partner.assertions.subject_of(assertion, "mc-client", NOW + later_s)
    with pytest.raises(InvalidGrant, match="expired"):
        partner.assertions.subject_of(assertion, "mc-client", NOW + 150)


def test_a_refused_assertion_is_not_used_up(primary, partner) -> None:
    assertion = primary.key.sign(CLAIMS)
    with pytest.raises(InvalidGrant):
        partner.assertions.subject_of(assertion, "other-client", NOW)
    assert partner.assertions.subject_of(assertion, "mc-client", NOW)


def test_a_full_memory_forgets_no_assertion_in_force(primary, partner) -> None:
    limits = partner.config.limits.model_copy(update={"seen_assertions_max": 1})
    config = partner.config.model_copy(update={"limits": limits})
    checker = AssertionChecker(config, {"https://idms.mc1.lab": primary.key.verifier()}, frozenset())
    checker.subject_of(primary.key.sign(CLAIMS), "mc-client", NOW)
    with pytest.raises(TemporarilyUnavailable):
        checker.subject_of(primary.key.sign({**CLAIMS, "jti": "j-2"}), "mc-client", NOW)
    later = {**CLAIMS, "jti": "j-3", "iat": NOW + 151, "exp": NOW + 200}
    assert checker.subject_of(primary.key.sign(later), "mc-client", NOW + 151)
