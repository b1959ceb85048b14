"""Issues tokens: what a grant has found out becomes signed text and a token response (RFC 6749 §5.1)."""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from lab.systems.idms.claims import (
    AT_JWT,
    Subject,
    access_token_claims,
    id_token_claims,
    security_token_claims,
)
from lab.systems.idms.config import IdmsConfig
from lab.systems.idms.errors import InvalidGrant, NotAToken
from lab.systems.idms.keys import SigningKey
from lab.systems.idms.memory import LapsingMemory

TYPE_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
TYPE_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted: to whom, through which client, for what."""

    subject: Subject
    client_id: str
    scope: str
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class OwnAccessToken:
    """An access token of ours that was handed back to us."""

    sub: str
    client_id: str


class TokenIssuer:
    """Signs tokens and keeps the refresh tokens, which serve once each (RFC 6749 §10.4)."""

    def __init__(self, config: IdmsConfig, key: SigningKey) -> None:
        self._issuer = config.system.issuer
        self._audiences = config.audiences
        self._lifetimes = config.lifetimes
        self._key = key
        self._own = key.verifier()
        self._refresh_tokens: LapsingMemory[Grant] = LapsingMemory(config.limits.refresh_tokens_max, forget_oldest=True)

    def token_response(self, grant: Grant, now: float, *, refreshable: bool) -> dict[str, Any]:
        """Return the token response of a grant; an ID token comes with the scope ``openid``."""
        iat, lifetime_s = int(now), self._lifetimes.access_token_s
        claims = access_token_claims(
            grant.subject,
            issuer=self._issuer,
            audiences=self._audiences,
            client_id=grant.client_id,
            scope=grant.scope,
            jti=secrets.token_urlsafe(16),
            iat=iat,
            exp=iat + lifetime_s,
        )
        response: dict[str, Any] = {
            "access_token": self._key.sign(claims, AT_JWT),
            "token_type": "Bearer",
            "expires_in": lifetime_s,
            "scope": grant.scope,
        }
        if "openid" in grant.scope.split():
            response["id_token"] = self._id_token(grant, iat)
        if refreshable:
            response["refresh_token"] = self._refresh_token(grant, now)
        return response

    def security_token_response(
        self, subject: Subject, *, client_id: str, partner_issuer: str, now: float
    ) -> dict[str, Any]:
        """Return the token exchange response with a security token for ``partner_issuer`` (RFC 8693 §2.2.1)."""
        iat, lifetime_s = int(now), self._lifetimes.security_token_s
        claims = security_token_claims(
            subject,
            issuer=self._issuer,
            client_id=client_id,
            partner_issuer=partner_issuer,
            jti=secrets.token_urlsafe(16),
            iat=iat,
            exp=iat + lifetime_s,
        )
        return {
            "access_token": self._key.sign(claims),
            "issued_token_type": TYPE_JWT,
            "token_type": "N_A",
            "expires_in": lifetime_s,
        }

    def take_refresh_token(self, text: str, client_id: str, now: float) -> Grant:
        """Return what a refresh token stands for; it is used up.

        Raises:
            InvalidGrant: unknown, used, lapsed, or of another client.
        """
        grant = self._refresh_tokens.take(text, now)
        if grant is None or grant.client_id != client_id:
            raise InvalidGrant("the refresh token is unknown, used, expired or of another client")
        return grant

    def own_access_token(self, text: str, now: float) -> OwnAccessToken:
        """Return who an access token of ours is about.

        Raises:
            InvalidGrant: not an access token of this server, or expired.
        """
        try:
            header, claims = self._own.verify(text)
        except NotAToken as exc:
            raise InvalidGrant("the subject token was not signed by this server") from exc
        if header.get("typ") != AT_JWT or claims.get("iss") != self._issuer:
            raise InvalidGrant("the subject token is no access token of this server")
        if claims["exp"] <= now:
            raise InvalidGrant("the subject token has expired")
        return OwnAccessToken(claims["sub"], claims["client_id"])

    def _id_token(self, grant: Grant, iat: int) -> str:
        claims = id_token_claims(
            grant.subject,
            issuer=self._issuer,
            client_id=grant.client_id,
            nonce=grant.nonce,
            iat=iat,
            exp=iat + self._lifetimes.id_token_s,
        )
        return self._key.sign(claims)

    def _refresh_token(self, grant: Grant, now: float) -> str:
        text = secrets.token_urlsafe(32)
        self._refresh_tokens.remember(text, grant, now + self._lifetimes.refresh_token_s, now)
        return text
