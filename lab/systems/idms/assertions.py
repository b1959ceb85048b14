"""Assertions at the partner: a security token of another system is checked (RFC 7523 §3, TS 33.180 B.11.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.systems.idms.claims import Subject, migrated_subject
from lab.systems.idms.config import IdmsConfig, Partner
from lab.systems.idms.errors import InvalidGrant, NotAToken, TemporarilyUnavailable
from lab.systems.idms.keys import VerifyingKeys
from lab.systems.idms.memory import LapsingMemory, MemoryFull


@dataclass(frozen=True, slots=True)
class TrustedPartner:
    """A partner and its keys, brought out of band."""

    partner: Partner
    keys: VerifyingKeys


class AssertionChecker:
    """Admits each valid assertion of a configured partner once."""

    def __init__(
        self, config: IdmsConfig, partner_keys: Mapping[str, VerifyingKeys], own_mc_service_ids: frozenset[str]
    ) -> None:
        self._issuer = config.system.issuer
        self._lifetimes = config.lifetimes
        self._partners = {p.issuer: TrustedPartner(p, partner_keys[p.issuer]) for p in config.partners}
        self._own_mc_service_ids = own_mc_service_ids
        self._seen: LapsingMemory[bool] = LapsingMemory(config.limits.seen_assertions_max, forget_oldest=False)

    def subject_of(self, assertion: str, client_id: str, now: float) -> Subject:
        """Return the migrated user of whom the assertion speaks; it is used up.

        Raises:
            InvalidGrant: signature, issuer, audience, time, identities or replay.
            TemporarilyUnavailable: too many assertions are still in force to remember one more.
        """
        trusted, claims = self._verified(assertion)
        self._check_audience(claims, client_id)
        until = self._check_times(claims, now)
        subject = migrated_subject(claims, trusted.partner, self._own_mc_service_ids)
        self._admit_once(trusted.partner.issuer, claims["jti"], until, now)
        return subject

    def _verified(self, assertion: str) -> tuple[TrustedPartner, dict[str, Any]]:
        # The keys are chosen by trying each partner's: nothing unverified is read.
        for trusted in self._partners.values():
            try:
                _, claims = trusted.keys.verify(assertion)
            except NotAToken:
                continue
            if claims.get("iss") != trusted.partner.issuer:
                raise InvalidGrant("iss of the assertion is not the partner who signed it")
            if not all(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "jti")):
                raise InvalidGrant("the assertion lacks sub or jti")
            return trusted, claims
        raise InvalidGrant("the assertion was signed by no partner of this server")

    def _check_audience(self, claims: Mapping[str, Any], client_id: str) -> None:
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if not isinstance(audiences, list) or self._issuer not in audiences:
            raise InvalidGrant("aud of the assertion does not name this server")
        if client_id not in audiences:
            raise InvalidGrant("aud of the assertion does not name this client (TS 33.180 B.8)")

    def _check_times(self, claims: Mapping[str, Any], now: float) -> float:
        times = [claims.get("iat"), claims.get("exp")]
        if any(isinstance(time, bool) or not isinstance(time, int | float) for time in times):
            raise InvalidGrant("the assertion lacks iat or exp")
        iat, exp = float(claims["iat"]), float(claims["exp"])
        leeway_s = self._lifetimes.leeway_s
        if not exp > now - leeway_s:
            raise InvalidGrant("the assertion has expired")
        if not iat <= now + leeway_s:
            raise InvalidGrant("the assertion was issued in the future")
        if not exp - iat <= 3600 + leeway_s:
            raise InvalidGrant("the assertion is valid for over an hour")
        return exp + leeway_s

    def _admit_once(self, issuer: str, jti: str, until: float, now: float) -> None:
        key = f"{issuer} {jti}"
        if self._seen.recall(key, now):
            raise InvalidGrant("the assertion was used before")
        try:
            self._seen.remember(key, True, until, now)
        except MemoryFull as exc:
            raise TemporarilyUnavailable("too many assertions are in force, try again later") from exc
