"""Bearer access tokens, verified offline."""

import asyncio
import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from mmserver.http.tokens import (
    IssuerKeys,
    KeysUnavailable,
    ScopeMissing,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRefused,
    TokenRules,
    TokenVerifier,
    verify_access_token,
)

NOW = 1_700_000_000.0
ISSUER = "https://idms.mc1.lab"
SCOPE = "3gpp:mc:ptt_config_management_service"
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
KEYS = KeySet([EC, RSA])
RULES = TokenRules(ISSUER, "cms.mc1.lab", frozenset({SCOPE}))
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": "cms.mc1.lab",
    "client_id": "mc-client",
    "scope": f"openid {SCOPE}",
    "iat": NOW,
    "exp": NOW + 60,
    "mcptt_id": "sip:alice@mc1.lab",
    "mcdata_id": "sip:alice.data@mc1.lab",
}


def sign(claims: dict[str, Any], key: ECKey | RSAKey = EC, algorithm: str = "ES256", **header: Any) -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


@pytest.mark.parametrize(("key", "algorithm"), [(EC, "ES256"), (RSA, "RS256")])
def test_a_good_token_says_who_and_what(key: ECKey | RSAKey, algorithm: str) -> None:
    token = verify_access_token(sign(CLAIMS, key, algorithm), KEYS, RULES, NOW)
    assert (token.subject, token.client_id, token.expires_at) == ("alice", "mc-client", NOW + 60)
    assert token.mc_service_ids == {"sip:alice@mc1.lab", "sip:alice.data@mc1.lab"}
    assert token.scopes == {"openid", SCOPE}


def test_an_audience_among_several_is_enough() -> None:
    assert verify_access_token(sign({**CLAIMS, "aud": ["x", "cms.mc1.lab"]}), KEYS, RULES, NOW)


def test_no_scope_is_wanted_where_none_is_configured() -> None:
    assert verify_access_token(sign(without("scope")), KEYS, TokenRules(ISSUER, "cms.mc1.lab"), NOW)


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({**CLAIMS, "iss": "https://evil.example"}, TokenInvalid),
        (without("iss"), TokenInvalid),
        ({**CLAIMS, "aud": "mc-client"}, TokenInvalid),
        (without("aud"), TokenInvalid),
        ({**CLAIMS, "aud": {"cms.mc1.lab": 1}}, TokenInvalid),
        ({**CLAIMS, "exp": NOW - 5}, TokenExpired),
        ({**CLAIMS, "exp": float("nan")}, TokenExpired),
        (without("exp"), TokenInvalid),
        ({**CLAIMS, "exp": "never"}, TokenInvalid),
        ({**CLAIMS, "exp": True}, TokenInvalid),
        ({**CLAIMS, "exp": 10**400}, TokenInvalid),
        ({**CLAIMS, "iat": NOW + 31}, TokenInvalid),
        ({**CLAIMS, "nbf": NOW + 31}, TokenInvalid),
        ({**CLAIMS, "scope": "openid"}, ScopeMissing),
        (without("scope"), ScopeMissing),
        (without("sub"), TokenInvalid),
        ({**CLAIMS, "sub": 7}, TokenInvalid),
    ],
)
def test_each_wrong_claim_is_refused(claims: dict[str, Any], refusal: type[TokenRefused]) -> None:
    with pytest.raises(refusal):
        verify_access_token(sign(claims), KEYS, RULES, NOW)


def test_algorithm_none_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        verify_access_token(f"{encoded({'alg': 'none'})}.{encoded(CLAIMS)}.", KEYS, RULES, NOW)


def test_a_keyed_hash_over_a_public_key_is_refused() -> None:
    signed = f"{encoded({'alg': 'HS256', 'kid': 'rsa-1'})}.{encoded(CLAIMS)}"
    signature = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(TokenInvalid):
        verify_access_token(token, KEYS, RULES, NOW)


def test_another_s_signature_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        verify_access_token(sign(CLAIMS, ECKey.generate_key("P-256", {"kid": "ec-1"})), KEYS, RULES, NOW)


class Issuer:
    """Serves discovery and a key set; may be down, and counts."""

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys
        self.down = False
        self.fetched = 0
        self.discovery: Any = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        self.jwks: Any = None

    async def fetch(self, url: str) -> Any:
        self.fetched += 1
        await asyncio.sleep(0)
        if self.down:
            raise KeysUnavailable("down")
        if url.endswith("/.well-known/openid-configuration"):
            return self.discovery
        return self.jwks or self.keys.as_dict(private=False)


def verifier(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(RULES, IssuerKeys(ISSUER, issuer.fetch))


async def test_keys_are_fetched_once_for_many_requests() -> None:
    issuer = Issuer(KeySet([EC]))
    subject = verifier(issuer)
    tokens = await asyncio.gather(*(subject.verify(f"Bearer {sign(CLAIMS)}", NOW) for _ in range(5)))
    assert {token.subject for token in tokens} == {"alice"}
    assert issuer.fetched == 2


async def test_an_unknown_key_makes_the_keys_be_fetched_again_but_not_often() -> None:
    issuer = Issuer(KeySet([EC]))
    subject = verifier(issuer)
    await subject.verify(f"Bearer {sign(CLAIMS)}", NOW)
    rotated = ECKey.generate_key("P-256", {"kid": "ec-2"})
    issuer.keys = KeySet([rotated])
    with pytest.raises(TokenInvalid):
        await subject.verify(f"Bearer {sign(CLAIMS, rotated)}", NOW + 9)
    assert issuer.fetched == 2
    assert await subject.verify(f"Bearer {sign(CLAIMS, rotated)}", NOW + 10)
    assert issuer.fetched == 4


async def test_keys_outlive_a_short_outage_of_the_issuer_and_no_long_one() -> None:
    issuer = Issuer(KeySet([EC]))
    subject = verifier(issuer)
    await subject.verify(f"Bearer {sign(CLAIMS)}", NOW)
    issuer.down = True
    late = {**CLAIMS, "exp": NOW + 9999}
    assert await subject.verify(f"Bearer {sign(late)}", NOW + 700)
    with pytest.raises(KeysUnavailable):
        await subject.verify(f"Bearer {sign(late)}", NOW + 3700)


async def test_an_issuer_that_is_down_is_not_asked_for_every_request() -> None:
    issuer = Issuer(KeySet([EC]))
    issuer.down = True
    subject = verifier(issuer)
    for later_s in (0, 1, 9):
        with pytest.raises(KeysUnavailable):
            await subject.verify(f"Bearer {sign(CLAIMS)}", NOW + later_s)
    assert issuer.fetched == 1


@pytest.mark.parametrize(
    ("discovery", "jwks"),
    [
        ({"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/jwks"}, None),
        ({"issuer": ISSUER, "jwks_uri": "http://idms.mc1.lab/jwks"}, None),
        ([], None),
        ({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}, {"keys": {}}),
        ({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}, {"keys": [1, {}, {"kty": "oct", "k": "AAAA"}]}),
        ({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}, {"keys": [{"kty": "EC", "use": "enc"}]}),
    ],
)
async def test_an_issuer_that_talks_nonsense_gives_no_keys(discovery: Any, jwks: Any) -> None:
    issuer = Issuer(KeySet([EC]))
    issuer.discovery, issuer.jwks = discovery, jwks
    with pytest.raises(KeysUnavailable):
        await verifier(issuer).verify(f"Bearer {sign(CLAIMS)}", NOW)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic abc"])
async def test_a_missing_token_is_said_to_be_missing(authorization: str | None) -> None:
    with pytest.raises(TokenMissing):
        await verifier(Issuer(KEYS)).verify(authorization, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 8193,
        "a.b.c",
        "é.b.c",
        f"{encoded({'alg': 'ES256', 'kid': 7})}.e30.AA",
        f"{encoded([])}.e30.AA",
        "W" * 4000,
    ],
)
async def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        await verifier(Issuer(KEYS)).verify(f"Bearer {text}", NOW)


@given(st.text(max_size=100))
@settings(deadline=None, derandomize=True)
def test_any_text_is_refused_in_the_documented_way(text: str) -> None:
    with pytest.raises(TokenRefused):
        asyncio.run(verifier(Issuer(KEYS)).verify(f"Bearer {text}", NOW))
