"""Claims of the tokens: ID token, access token, security token (TS 33.180 Annex B.2, B.8, B.9).

Values in, values out: no key, no HTTP, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from lab.systems.idms.config import MC_SERVICE_CLAIMS, Partner
from lab.systems.idms.errors import InvalidGrant, InvalidScope

AT_JWT: Final = "at+jwt"  # RFC 9068 §2.1: an ID or security token never passes for an access token
SUBJECT_OCTETS_MAX: Final = 255

_SERVICES: Final = ("ptt", "video", "data")
# TS 33.180 B.4.2.2
SCOPES: Final = (
    "openid",
    *(f"3gpp:mc:{service}_service" for service in _SERVICES),
    *(f"3gpp:mc:{service}_config_management_service" for service in _SERVICES),
    *(f"3gpp:mc:{service}_group_management_service" for service in _SERVICES),
    *(f"3gpp:mc:{service}_key_management_service" for service in _SERVICES),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token is about: a user of this system, or a migrated one."""

    sub: str
    mc_service_ids: Mapping[str, str]
    """By claim: mcptt_id, mcvideo_id, mcdata_id."""


def user_subject(name: str, mc_service_ids: tuple[str, ...]) -> Subject:
    """Return the subject of a user of this system; a single MC service ID serves all three services."""
    ids = mc_service_ids * len(MC_SERVICE_CLAIMS) if len(mc_service_ids) == 1 else mc_service_ids
    return Subject(name, dict(zip(MC_SERVICE_CLAIMS, ids, strict=False)))


def granted_scope(requested: str | None, within: Iterable[str] = SCOPES) -> str:
    """Return what of ``requested`` is granted, in its order; all of ``within`` when nothing was asked.

    Raises:
        InvalidScope: nothing is left (RFC 6749 §3.3).
    """
    allowed = tuple(within)
    if not requested:
        return " ".join(allowed)
    granted = [scope for scope in dict.fromkeys(requested.split()) if scope in allowed]
    if not granted:
        raise InvalidScope("no scope that was asked for can be granted")
    return " ".join(granted)


def access_token_claims(
    subject: Subject,
    *,
    issuer: str,
    audiences: tuple[str, ...],
    client_id: str,
    scope: str,
    jti: str,
    iat: int,
    exp: int,
) -> dict[str, Any]:
    """Return the claims of an access token (TS 33.180 B.2.2; B.9 for a migrated user)."""
    return {
        "iss": issuer,
        "sub": subject.sub,
        "aud": audiences[0] if len(audiences) == 1 else list(audiences),
        "client_id": client_id,
        "scope": scope,
        "iat": iat,
        "exp": exp,
        "jti": jti,
        **subject.mc_service_ids,
    }


def id_token_claims(
    subject: Subject, *, issuer: str, client_id: str, nonce: str | None, iat: int, exp: int
) -> dict[str, Any]:
    """Return the claims of an ID token (TS 33.180 B.2.1)."""
    claims = {"iss": issuer, "sub": subject.sub, "aud": client_id, "iat": iat, "exp": exp, **subject.mc_service_ids}
    return {**claims, "nonce": nonce} if nonce else claims


def security_token_claims(
    subject: Subject, *, issuer: str, client_id: str, partner_issuer: str, jti: str, iat: int, exp: int
) -> dict[str, Any]:
    """Return the claims of a security token: `aud` is the client and the partner's server (TS 33.180 B.8)."""
    return {
        "iss": issuer,
        "sub": subject.sub,
        "aud": [client_id, partner_issuer],
        "iat": iat,
        "exp": exp,
        "jti": jti,
        **subject.mc_service_ids,
    }


def migrated_subject(claims: Mapping[str, Any], partner: Partner, own_mc_service_ids: frozenset[str]) -> Subject:
    """Return the subject here of a user whom ``partner`` vouches for.

    Raises:
        InvalidGrant: no MC service ID, or one that this partner may not assert.
    """
    theirs = {name: claims[name] for name in MC_SERVICE_CLAIMS if isinstance(claims.get(name), str)}
    if not theirs:
        raise InvalidGrant("the security token holds no MC service ID")
    ours = {name: _mapped(mc_service_id, partner) for name, mc_service_id in theirs.items()}
    if not own_mc_service_ids.isdisjoint(ours.values()):
        raise InvalidGrant("the security token claims an MC service ID of this system's own users")
    sub = f"{partner.issuer}#{claims['sub']}"
    if len(sub.encode()) > SUBJECT_OCTETS_MAX:
        raise InvalidGrant(f"subject over {SUBJECT_OCTETS_MAX} octets")
    return Subject(sub, ours)


def _mapped(mc_service_id: str, partner: Partner) -> str:
    if partner.mc_service_id_domains and _domain_of(mc_service_id) not in partner.mc_service_id_domains:
        raise InvalidGrant("an MC service ID lies outside the domains agreed with that partner")
    if mc_service_id in partner.mc_service_ids:
        return partner.mc_service_ids[mc_service_id]
    if partner.mc_service_id_mapping == "listed":
        raise InvalidGrant("no MC service ID of this system is agreed for that user")
    return mc_service_id


def _domain_of(mc_service_id: str) -> str:
    domain = mc_service_id.rpartition("@")[2] if "@" in mc_service_id else urlsplit(mc_service_id).netloc
    return domain.lower()
