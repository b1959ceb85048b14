"""Service authorisation: whose access token it is, and which IMPU its MC service ID is bound to (TS 33.180 §5.1.3).

Pure: keys, time and token are arguments.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.systems.idms.errors import NotAToken
from lab.systems.idms.keys import VerifyingKeys
from lab.systems.mcservice.config import McServiceConfig
from lab.systems.mcservice.errors import NotAuthorised

MC_SERVICE_CLAIM: Final = "mcptt_id"


@dataclass(frozen=True, slots=True)
class ServiceAuthorisation:
    """One user who may use the service: the binding of TS 24.379 §7.3.2 step 5."""

    public_user_identity: str
    mc_service_id: str
    client_id: str
    expires_at: float


class Authorisations:
    """Who is authorised now; a bound on how many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[str, ServiceAuthorisation] = {}

    def record(self, one: ServiceAuthorisation) -> None:
        """Keep an authorisation; of an IMPU the last; the oldest gives way where there are too many."""
        self._of.pop(one.public_user_identity, None)
        while len(self._of) >= self._most:
            del self._of[next(iter(self._of))]
        self._of[one.public_user_identity] = one

    def forget(self, public_user_identity: str) -> ServiceAuthorisation | None:
        """Take an IMPU's authorisation away; return what it was."""
        return self._of.pop(public_user_identity, None)

    def of(self, public_user_identity: str, now: float) -> ServiceAuthorisation | None:
        """Return what an IMPU is authorised for; None where it is not, or no longer."""
        found = self._of.get(public_user_identity)
        return found if found is not None and found.expires_at > now else None


def mc_service_id_of(token: str, keys: VerifyingKeys, config: McServiceConfig, now: float) -> str:
    """Return the MC service ID of an access token that the system's own IdMS signed for this server.

    Raises:
        NotAuthorised: anything else; its name says what.
    """
    if _issuer_of(token) != config.issuer:
        raise NotAuthorised("wrong-issuer", "the token says that another system's IdMS issued it")
    try:
        _, claims = keys.verify(token)
    except NotAToken as exc:
        raise NotAuthorised("token-invalid", "the token was not signed by this system's IdMS") from exc
    audience = claims.get("aud")
    if config.name not in (audience if isinstance(audience, list) else [audience]):
        raise NotAuthorised("wrong-audience", "the token is for another server")
    expires_at = claims.get("exp")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at + config.leeway_s <= now:
        raise NotAuthorised("token-expired", "the token has expired")
    return _served(claims, config)


def _served(claims: Mapping[str, Any], config: McServiceConfig) -> str:
    mc_service_id = claims.get(MC_SERVICE_CLAIM)
    if not isinstance(mc_service_id, str) or not mc_service_id:
        raise NotAuthorised("wrong-mc-service-id", "the token names no MC service ID")
    if config.mc_service_ids is not None and mc_service_id not in config.mc_service_ids:
        raise NotAuthorised("wrong-mc-service-id", "the MC service ID of the token is not served here")
    return mc_service_id


def _issuer_of(token: str) -> str:
    """Return whose a token claims to be: it names the refusal and proves nothing."""
    try:
        text = token.split(".")[1].encode("ascii")
        claims = json.loads(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    except (ValueError, IndexError, RecursionError) as exc:
        raise NotAuthorised("token-invalid", "not a signed token") from exc
    return str(claims.get("iss", "")) if isinstance(claims, dict) else ""
