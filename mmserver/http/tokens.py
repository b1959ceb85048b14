"""Bearer access tokens of an identity management server, verified offline (TS 33.180 B.10, B.11.2; RFC 9068 §4).

Keys come from the issuer's discovery document and JWKS, are cached, and are fetched again when a token names an
unknown key, but no more often than ``refetch_s``.  Only ES256 and RS256 are accepted: never ``none``, never a keyed
hash.  Time is an argument; what fetches is passed in.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

ALGORITHMS: Final = ("ES256", "RS256")
MC_SERVICE_CLAIMS: Final = ("mcptt_id", "mcvideo_id", "mcdata_id")  # TS 33.180 B.2.2.3
TOKEN_OCTETS_MAX: Final = 8192
KEYS_MAX: Final = 64

FetchJson = Callable[[str], Awaitable[Any]]
"""Fetches a URL as JSON; raises KeysUnavailable."""

log = structlog.get_logger()


class TokenRefused(Exception):
    """The request is not let in.

    Attributes:
        name: stable name of the problem.
        status: HTTP status of the answer.
        error: code of RFC 6750 §3.1 for WWW-Authenticate, or empty when no token came.
    """

    name = "token-invalid"
    title = "The access token is not valid"
    status = 401
    error = "invalid_token"


class TokenMissing(TokenRefused):
    """No bearer token came."""

    name = "token-missing"
    title = "An access token of the primary MC system is wanted"
    error = ""


class TokenInvalid(TokenRefused):
    """Signature, issuer, audience or form."""


class TokenExpired(TokenRefused):
    """It was good once."""

    name = "token-expired"
    title = "The access token has expired"


class ScopeMissing(TokenRefused):
    """The token was not issued for this."""

    name = "scope-missing"
    title = "The access token lacks the scope"
    status = 403
    error = "insufficient_scope"


class KeysUnavailable(Exception):
    """The issuer's keys cannot be fetched now."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    mc_service_ids: frozenset[str]
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must be: of this issuer, for this audience, with one of these scopes (none: any)."""

    issuer: str
    audience: str
    scopes: frozenset[str] = frozenset()
    leeway_s: float = 5.0


class IssuerKeys:
    """The issuer's public keys: fetched when first wanted, kept ``max_age_s``, good for ``max_stale_s`` at most."""

    def __init__(
        self,
        issuer: str,
        fetch: FetchJson,
        *,
        max_age_s: float = 600.0,
        max_stale_s: float = 3600.0,
        refetch_s: float = 10.0,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._max_age_s = max_age_s
        self._max_stale_s = max_stale_s
        self._refetch_s = refetch_s
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._one_fetch = asyncio.Lock()

    async def keys_for(self, kid: str | None, now: float) -> KeySet:
        """Return the keys, fetched again if they are old or ``kid`` is not among them.

        Raises:
            KeysUnavailable: none are at hand and the issuer does not give any.
        """
        if not self._suffice(kid, now):
            async with self._one_fetch:
                if not self._suffice(kid, now) and self._may_fetch(now):
                    await self._refresh(now)
        if self._keys is None or now - self._fetched_at > self._max_stale_s:
            raise KeysUnavailable(f"no keys of {self._issuer}")
        return self._keys

    def _suffice(self, kid: str | None, now: float) -> bool:
        if self._keys is None or now - self._fetched_at > self._max_age_s:
            return False
        return kid is None or any(key.kid == kid for key in self._keys)

    def _may_fetch(self, now: float) -> bool:
        return self._tried_at is None or now - self._tried_at >= self._refetch_s

    async def _refresh(self, now: float) -> None:
        self._tried_at = now
        try:
            self._keys = await self._discover()
        except KeysUnavailable as exc:
            log.warning("keys.unavailable", issuer=self._issuer, why=str(exc))
            return
        self._fetched_at = now
        log.info("keys.fetched", issuer=self._issuer, keys=len(self._keys.keys))

    async def _discover(self) -> KeySet:
        """OpenID Connect Discovery 1.0 §4: the document must name the issuer that it was asked for."""
        document = await self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if not isinstance(document, dict) or document.get("issuer") != self._issuer:
            raise KeysUnavailable("the discovery document is of another issuer")
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str) or not jwks_uri.startswith("https://"):
            raise KeysUnavailable("the discovery document has no https jwks_uri")
        return _parse_jwks(await self._fetch(jwks_uri))


class TokenVerifier:
    """Lets requests in by their Authorization header."""

    def __init__(self, rules: TokenRules, keys: IssuerKeys) -> None:
        self._rules = rules
        self._keys = keys

    async def verify(self, authorization: str | None, now: float) -> AccessToken:
        """Return what the bearer token says.

        Raises:
            TokenRefused: it does not let in.
            KeysUnavailable: it cannot be judged now.
        """
        text = _bearer(authorization)
        keys = await self._keys.keys_for(_kid_of(text), now)
        return verify_access_token(text, keys, self._rules, now)


def verify_access_token(text: str, keys: KeySet, rules: TokenRules, now: float) -> AccessToken:
    """Return what a token says that one of ``keys`` signed and that satisfies ``rules``.

    Raises:
        TokenRefused: anything else; the message holds nothing of the token.
    """
    claims = _signed_claims(text, keys)
    if claims.get("iss") != rules.issuer:
        raise TokenInvalid("the token is of another issuer")
    if rules.audience not in _texts(claims.get("aud")):
        raise TokenInvalid("the token is for another audience")
    expires_at = _time(claims, "exp")
    if not expires_at > now - rules.leeway_s:
        raise TokenExpired("the token has expired")
    for name in ("iat", "nbf"):
        if name in claims and not _time(claims, name) <= now + max(rules.leeway_s, 30.0):
            raise TokenInvalid("the token is of the future")
    scopes = frozenset(_texts(claims.get("scope"), split=True))
    if rules.scopes and not scopes & rules.scopes:
        raise ScopeMissing(f"wanted one of {' '.join(sorted(rules.scopes))}")
    return _access_token(claims, scopes, expires_at)


def _access_token(claims: Mapping[str, Any], scopes: frozenset[str], expires_at: float) -> AccessToken:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise TokenInvalid("the token has no subject")
    client_id = claims.get("client_id")
    ids = frozenset(text for name in MC_SERVICE_CLAIMS for text in _texts(claims.get(name)))
    return AccessToken(subject, client_id if isinstance(client_id, str) else "", scopes, ids, expires_at)


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise TokenMissing("Authorization: Bearer is missing")
    if len(text) > TOKEN_OCTETS_MAX:
        raise TokenInvalid(f"the token is over {TOKEN_OCTETS_MAX} octets")
    return text.strip()


def _kid_of(text: str) -> str | None:
    """Return the key ID that the token claims; it chooses a key and proves nothing."""
    try:
        encoded = text.partition(".")[0].encode("ascii")
        header = json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError) as exc:
        raise TokenInvalid("not a signed token") from exc
    kid = header.get("kid") if isinstance(header, dict) else None
    if kid is not None and not isinstance(kid, str):
        raise TokenInvalid("kid is no text")
    return kid


def _signed_claims(text: str, keys: KeySet) -> dict[str, Any]:
    try:
        return dict(jwt.decode(text, keys, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError, RecursionError) as exc:
        raise TokenInvalid("the token was not signed by a key of the issuer") from exc


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid(f"{name} is no time")
    try:
        return float(value)
    except OverflowError as exc:
        raise TokenInvalid(f"{name} is no time") from exc


def _texts(value: object, *, split: bool = False) -> list[str]:
    if isinstance(value, str):
        return value.split() if split else [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _parse_jwks(document: Any) -> KeySet:
    """Return the signing keys that we can use; others are passed over (RFC 7517 §5)."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeysUnavailable("not a JSON web key set")
    keys: list[Any] = []
    for entry in entries[:KEYS_MAX]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") not in ("EC", "RSA"):
            continue
        try:
            keys.append(import_key(entry))
        except (JoseError, ValueError, TypeError):
            continue
    if not keys:
        raise KeysUnavailable("the key set holds no EC or RSA key")
    return KeySet(keys)
