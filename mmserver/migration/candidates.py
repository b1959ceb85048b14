"""Which sets may be lent now: the configured ones that are free, a random one, or those that the SIP database knows.

Joins the pure choice of ``allocation`` to what the store says is taken.  Asking the SIP database takes time and happens
before the transaction that writes; a set that somebody else took meanwhile is found out by the database's constraint.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from mmserver.identity import SipIdentities
from mmserver.messages import PartnerSipIdentitiesRequest, PrimarySipIdentitiesRequest
from mmserver.migration.allocation import (
    PARTNER_STEP,
    PRIMARY_STEP,
    Randomness,
    cut,
    first_free,
    free_primary_sets,
    random_set,
    sip_only,
)
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import (
    NoFreePartnerSet,
    NoPrimarySetForPartner,
    NotPreProvisioned,
    PartnerSetTooSmall,
    SetsNotKnown,
)
from mmserver.migration.pools import Pools
from mmserver.migration.store import Transaction

PRE_PROVISIONED: Final = "mode pre-provisioned: import the binding first"


class KnowsSets(Protocol):
    """The SIP database, as far as it is asked."""

    async def knows(self, identities: SipIdentities) -> bool:
        """Say whether it knows the set.

        Raises:
            SipDatabaseUnreachable: it does not say.
        """


class Candidates:
    """Chooses what steps 5 and 10 lend."""

    def __init__(
        self, config: MmsConfig, pools: Pools, *, randomness: Randomness, sip_database: KnowsSets | None = None
    ) -> None:
        self._allocation = config.allocation
        self._home_domain = config.system.home_domain
        self._asked_max = config.sip_database.sets_max if config.sip_database is not None else 0
        self._pools = pools
        self._randomness = randomness
        self._sip_database = sip_database

    async def primary(self, transaction: Transaction, request: PrimarySipIdentitiesRequest) -> list[SipIdentities]:
        """Return the sets that step 5 may lend, the best first.

        Raises:
            NoSipIdentity, NoPrimarySetForPartner, NoFreePrimarySet, NotPreProvisioned: none.
        """
        default = sip_only(request.default_identities.to_identities(), PRIMARY_STEP)
        allocation = self._allocation.primary
        if allocation.mode == "default":
            return [default]
        if allocation.mode == "random":
            return [random_set(self._home_domain, allocation.prefix, len(default.sip_uris), self._randomness)]
        if allocation.mode == "pre-provisioned":
            raise NotPreProvisioned(PRE_PROVISIONED, step=PRIMARY_STEP)
        configured = self._pools.of_user(request.mc_service_ids, request.partner_mc_system)
        if not configured:
            raise NoPrimarySetForPartner(
                f"no set of this MC service user is configured for {request.partner_mc_system}", step=PRIMARY_STEP
            )
        return free_primary_sets(configured, await _taken(transaction, configured), default)

    async def partner(self, transaction: Transaction, request: PartnerSipIdentitiesRequest) -> list[SipIdentities]:
        """Return the sets that step 10 may lend, the best first, cut to the size of what was received.

        Raises:
            NoSipIdentity, NoFreePartnerSet, PartnerSetTooSmall, NotPreProvisioned: none.
        """
        primary = request.primary_mc_system_sip_identities.to_identities()
        wanted = len(sip_only(primary, PARTNER_STEP).sip_uris)
        allocation = self._allocation.partner
        if allocation.mode == "random":
            return [random_set(self._home_domain, allocation.prefix, wanted, self._randomness)]
        if allocation.mode == "pre-provisioned":
            raise NotPreProvisioned(PRE_PROVISIONED, step=PARTNER_STEP)
        enough = self._asked_max if allocation.mode == "sip-database" else 1
        return await self._free_inbound(transaction, request.primary_mc_system, wanted, enough)

    async def known(self, candidates: Iterable[SipIdentities], step: str) -> SipIdentities:
        """Return the first of the candidates that the SIP database knows.

        Raises:
            SetsNotKnown: it knows none of them.
            SipDatabaseUnreachable: it does not say.
        """
        assert self._sip_database is not None, "a mode that asks has somebody to ask"
        asked = 0
        for candidate in candidates:
            if asked == self._asked_max:
                break
            asked += 1
            if await self._sip_database.knows(candidate):
                return candidate
        raise SetsNotKnown(f"{asked} free sets were asked for, the SIP database knows none of them", step=step)

    def lent(self, identities: SipIdentities, primary: str) -> None:
        """Note that a set of the inbound pool was lent, so that the next user gets another one first."""
        self._pools.of_inbound(primary).took(identities)

    async def _free_inbound(
        self, transaction: Transaction, primary: str, wanted: int, enough: int
    ) -> list[SipIdentities]:
        pool, found = self._pools.of_inbound(primary), list[SipIdentities]()
        for chunk in pool.large_enough(wanted):
            taken = await _taken(transaction, chunk)
            found += [cut(candidate, wanted) for candidate in chunk if not taken(candidate)]
            if len(found) >= enough:
                return found
        if found:
            return found
        for chunk in pool.too_small(wanted):
            small = first_free(chunk, await _taken(transaction, chunk))
            if small is not None:
                raise PartnerSetTooSmall(
                    f"{wanted} public user identities were received, a free set has {len(small.sip_uris)}",
                    step=PARTNER_STEP,
                )
        raise NoFreePartnerSet(f"all {len(pool)} sets for {primary} are lent or quarantined", step=PARTNER_STEP)


async def _taken(transaction: Transaction, sets: list[SipIdentities]) -> Callable[[SipIdentities], bool]:
    taken = await transaction.taken((text for entry in sets for text in entry.mapped), scope="")
    return lambda candidate: not taken.isdisjoint(candidate.mapped)
