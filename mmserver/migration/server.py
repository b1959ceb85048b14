"""The migration management server's answers to the CMS: steps 5 and 10 of 10.1.X.1, confirmation, dry run.

Rules without HTTP and without SQL.  One request is one transaction; a lost race for an identity is run again.
"""

import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from mmserver.identity import SipIdentities
from mmserver.messages import BindingState, PartnerSipIdentitiesRequest, PrimarySipIdentitiesRequest, Role
from mmserver.migration.agreements import Agreements
from mmserver.migration.allocation import PARTNER_STEP, PRIMARY_STEP, Randomness
from mmserver.migration.bindings import IdentityBinding, ask_again, confirm, partner_key, primary_key
from mmserver.migration.candidates import Candidates, KnowsSets
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import (
    BindingNotLive,
    BindingUnknown,
    IdentitiesAlreadyLent,
    IdentityTaken,
    MigrationWithdrawn,
    QuotaReached,
    Refusal,
    ValidityOver,
)
from mmserver.migration.pools import Pools, load_pools
from mmserver.migration.store import BindingStore, Change, Transaction

TRIES_MAX: Final = 3
LISTED_MAX: Final = 1000

Clock = Callable[[], float]


class Whom(NamedTuple):
    """Whom a request concerns: our role, the other MC system, the MC service user."""

    role: Role
    other_mc_system: str
    mc_service_ids: tuple[str, ...]


log = structlog.get_logger()


class MigrationManagementServer:
    """Decides which identities stand for which, at the primary and at the partner (TS 23.280 CR, 7.4.2.2.X)."""

    def __init__(
        self,
        config: MmsConfig,
        store: BindingStore,
        *,
        clock: Clock,
        randomness: Randomness,
        pools: Pools | None = None,
        sip_database: KnowsSets | None = None,
        on_change: Callable[[], None] = lambda: None,
        on_allocated: Callable[[Role, str, str], None] = lambda *_: None,
        agreements: Agreements | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._on_change = on_change
        self._on_allocated = on_allocated
        self._agreements = agreements or Agreements(config.partners)
        self._sip_database = sip_database
        self.take_up(config, pools or load_pools(config))

    def take_up(self, config: MmsConfig, pools: Pools) -> None:
        """Allocate as this configuration says from now on; a request under way ends as it began."""
        self._config = config
        self._candidates = Candidates(config, pools, randomness=self._randomness, sip_database=self._sip_database)

    async def get_primary_sip_identities(self, request: PrimarySipIdentitiesRequest, actor: str) -> IdentityBinding:
        """Allocate a primary migration set for the MC user and partner, or return the one it has (step 5).

        Raises:
            Refusal: with step 10.1.X.1-5.
            StoreUnavailable: nothing was changed.
        """
        return await self._allocate(self._asked_by_primary(request), actor)

    async def get_partner_sip_identities(self, request: PartnerSipIdentitiesRequest, actor: str) -> IdentityBinding:
        """Allocate a partner set bound to (primary MMS, primary migration set), or return the one it has (step 10).

        Raises:
            Refusal: with step 10.1.X.1-10.
            StoreUnavailable: nothing was changed.
        """
        return await self._allocate(self._asked_by_partner(request), actor)

    async def try_primary(self, request: PrimarySipIdentitiesRequest) -> IdentityBinding | None:
        """Do all of step 5 but write: return the binding that the user has already, or None for a new one.

        Raises:
            Refusal: what step 5 would refuse with now.
        """
        return await self._try(self._asked_by_primary(request))

    async def try_partner(self, request: PartnerSipIdentitiesRequest) -> IdentityBinding | None:
        """Do all of step 10 but write: return the binding that there is already, or None for a new one.

        Raises:
            Refusal: what step 10 would refuse with now.
        """
        return await self._try(self._asked_by_partner(request))

    async def confirm(self, handle: str, reason: str, actor: str) -> IdentityBinding:
        """Make a held binding valid: the CMS has got as far as step 12.

        Raises:
            BindingUnknown, BindingNotLive: the hold has lapsed, or it is released.
        """

        async def run(transaction: Transaction) -> IdentityBinding:
            old = await self._required(transaction, handle)
            new = confirm(old, self._clock(), self._config.lifetime.unused_s)
            if new == old:
                return old
            return await transaction.save(old, new, Change("binding.confirmed", actor, self._clock(), reason))

        return await self._write(run)

    async def get(self, handle: str) -> IdentityBinding:
        """Return a binding.

        Raises:
            BindingUnknown: there is none.
        """
        async with self._store.reading() as transaction:
            return await self._required(transaction, handle)

    async def find_all(
        self,
        role: Role | None,
        other_mc_system: str | None,
        impi: str | None,
        after: str = "",
        *,
        mc_service_id: str | None = None,
        state: BindingState | None = None,
        enabled: bool | None = None,
    ) -> list[IdentityBinding]:
        """Return bindings by handle, at most ``LISTED_MAX``."""
        async with self._store.reading() as transaction:
            return await transaction.find_all(
                role,
                other_mc_system,
                impi,
                after,
                LISTED_MAX,
                mc_service_id=mc_service_id,
                state=state,
                enabled=enabled,
            )

    async def proxies_behind(self, binding: IdentityBinding) -> tuple[str, ...]:
        """Return the proxies that have not acknowledged this version of the binding."""
        return (await self.all_proxies_behind([binding]))[0]

    async def all_proxies_behind(self, bindings: Sequence[IdentityBinding]) -> list[tuple[str, ...]]:
        """Return for each binding the proxies that have not acknowledged its version; one look at the store."""
        async with self._store.reading() as transaction:
            acknowledged = await transaction.acknowledged()
        proxies = self._config.http.clients.feed
        return [
            tuple(proxy for proxy in proxies if acknowledged.get(proxy, 0) < binding.version) for binding in bindings
        ]

    def _asked_by_primary(self, request: PrimarySipIdentitiesRequest) -> "_Asked":
        default = request.default_identities.to_identities()
        partner, allocation, candidates = request.partner_mc_system, self._config.allocation.primary, self._candidates
        self._agreements.require(partner, PRIMARY_STEP)
        whom = Whom(Role.PRIMARY, partner, request.mc_service_ids)
        key = primary_key(request.mc_service_ids, default, partner)

        def make(identities: SipIdentities) -> IdentityBinding:
            return IdentityBinding(
                handle=new_handle(self._randomness),
                role=Role.PRIMARY,
                key=key,
                other_mc_system=partner,
                migration_management_server=self._config.system.identifier,
                mc_service_ids=request.mc_service_ids,
                identities=identities,
                counterpart=default,
                valid_until=0.0,
                provisioned=allocation.is_provisioned,
                scope=partner if allocation.mode == "default" else "",
            )

        return _Asked(
            whom,
            key,
            request.valid_until,
            PRIMARY_STEP,
            candidates=candidates,
            find=lambda transaction: candidates.primary(transaction, request),
            make=make,
            asks_sip_database=allocation.mode == "sip-database",
            at_most=request.at_most,
        )

    def _asked_by_partner(self, request: PartnerSipIdentitiesRequest) -> "_Asked":
        primary = request.primary_mc_system_sip_identities.to_identities()
        identifier = request.migration_management_server.lower()
        self._agreements.require_agreed(request.primary_mc_system, identifier, primary, PARTNER_STEP)
        whom, candidates = Whom(Role.PARTNER, request.primary_mc_system, request.mc_service_ids), self._candidates
        key = partner_key(identifier, primary)

        def make(identities: SipIdentities) -> IdentityBinding:
            candidates.lent(identities, request.primary_mc_system)
            return IdentityBinding(
                handle=new_handle(self._randomness),
                role=Role.PARTNER,
                key=key,
                other_mc_system=request.primary_mc_system,
                migration_management_server=identifier,
                mc_service_ids=request.mc_service_ids,
                identities=identities,
                counterpart=primary,
                valid_until=0.0,
            )

        return _Asked(
            whom,
            key,
            request.valid_until,
            PARTNER_STEP,
            candidates=candidates,
            find=lambda transaction: candidates.partner(transaction, request),
            make=make,
            asks_sip_database=self._config.allocation.partner.mode == "sip-database",
            at_most=request.at_most,
        )

    async def _allocate(self, asked: "_Asked", actor: str) -> IdentityBinding:
        for attempt in range(1, TRIES_MAX + 1):
            known = await self._known(asked) if asked.asks_sip_database else None
            try:
                return await self._hold(asked, known, actor)
            except IdentitiesAlreadyLent:
                # Between the question to the SIP database and the transaction somebody else took the set.
                if known is None or attempt == TRIES_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _hold(self, asked: "_Asked", known: SipIdentities | None, actor: str) -> IdentityBinding:
        lifetime = self._config.lifetime
        outcome = "repeated"

        async def run(transaction: Transaction) -> IdentityBinding:
            nonlocal outcome
            now = self._clock()
            valid_until = self._valid_until(asked.valid_until, now, asked.step)
            await require_not_withdrawn(transaction, asked.whom, asked.step)
            old = await transaction.find_live(asked.whom.role, asked.key)
            if old is None:
                if asked.asks_sip_database and known is None:
                    raise BindingNotLive("the binding has ended in this moment; ask again")
                await require_room(transaction, asked.whom, asked.at_most, asked.step, exactly=True)
                identities = known or (await asked.find(transaction))[0]
                until = now + lifetime.held_s
                outcome = "new"
                held = replace(asked.make(identities), held_until=until, valid_until=valid_until)
                return await transaction.add(held, Change("binding.held", actor, now))
            new = ask_again(old, now, lifetime.held_s, valid_until, lifetime.valid_s)
            outcome = "repeated" if new == old else "renewed"
            if new == old:
                return old
            return await transaction.save(old, new, Change("binding.renewed", actor, now))

        with naming_step(asked.step):
            binding = await self._write(run)
        self._on_allocated(binding.role, binding.other_mc_system, outcome)
        return binding

    async def _try(self, asked: "_Asked") -> IdentityBinding | None:
        now, lifetime = self._clock(), self._config.lifetime
        with naming_step(asked.step):
            valid_until = self._valid_until(asked.valid_until, now, asked.step)
            async with self._store.reading() as transaction:
                await require_not_withdrawn(transaction, asked.whom, asked.step)
                old = await transaction.find_live(asked.whom.role, asked.key)
                if old is not None:
                    ask_again(old, now, lifetime.held_s, valid_until, lifetime.valid_s)
                    return old
                await require_room(transaction, asked.whom, asked.at_most, asked.step, exactly=False)
                candidates = await asked.find(transaction)
            if asked.asks_sip_database:
                await asked.candidates.known(candidates, asked.step)
        return None

    async def _known(self, asked: "_Asked") -> SipIdentities | None:
        """Return a set that the SIP database knows; None when the user has a binding already."""
        with naming_step(asked.step):
            async with self._store.reading() as transaction:
                await require_not_withdrawn(transaction, asked.whom, asked.step)
                if await transaction.find_live(asked.whom.role, asked.key) is not None:
                    return None
                candidates = await asked.find(transaction)
            return await asked.candidates.known(candidates, asked.step)

    async def _write(self, run: Callable[[Transaction], Awaitable[IdentityBinding]]) -> IdentityBinding:
        for attempt in range(1, TRIES_MAX + 1):
            try:
                async with self._store.writing() as transaction:
                    binding = await run(transaction)
                break
            except IdentityTaken as exc:
                if attempt == TRIES_MAX:
                    raise IdentitiesAlreadyLent("one of the identities is lent in another binding") from exc
        if transaction.changed_feed:
            self._on_change()
        log.info("binding.written", binding=binding.handle, role=binding.role.value, state=binding.state.value)
        return binding

    def _valid_until(self, asked: datetime | None, now: float, step: str) -> float:
        longest = now + self._config.lifetime.valid_s
        if asked is None:
            return longest
        if asked.timestamp() <= now:
            raise ValidityOver(f"valid until {asked.isoformat()}", step=step)
        return min(longest, asked.timestamp())

    async def _required(self, transaction: Transaction, handle: str) -> IdentityBinding:
        binding = await transaction.find(handle)
        if binding is None:
            raise BindingUnknown(f"there is no binding {handle[:64]}")
        return binding


async def require_not_withdrawn(transaction: Transaction, whom: Whom, step: str | None) -> None:
    """Hold a request to the withdrawals that stand.

    Raises:
        MigrationWithdrawn: one concerns this user, or the whole agreement.
    """
    standing = await transaction.withdrawals.find(*whom)
    if standing:
        of = "this user" if standing[0].mc_service_id else "all users"
        raise MigrationWithdrawn(f"withdrawn for {of} and {whom.other_mc_system} by {standing[0].id}", step=step)


async def require_room(
    transaction: Transaction, whom: Whom, at_most: int | None, step: str | None, *, exactly: bool
) -> None:
    """Hold a new binding to how many users of the agreement may migrate at once.

    ``exactly``: no other transaction allocates until this one ends, so that two never take the last place both.

    Raises:
        QuotaReached: so many have a binding.
    """
    if at_most is None:
        return
    if exactly:
        await transaction.lock_version()
    if await transaction.count_live_of(whom.role, whom.other_mc_system, at_most) >= at_most:
        raise QuotaReached(f"{at_most} users of the agreement with {whom.other_mc_system} have a binding", step=step)


def new_handle(randomness: Randomness) -> str:
    """Return a name for a new binding, not to be guessed."""
    return "b-" + base64.b32encode(randomness(10)).decode().lower()


@contextmanager
def naming_step(step: str) -> Iterator[None]:
    """Give a refusal that comes from below the step of the request."""
    try:
        yield
    except Refusal as exc:
        exc.step = exc.step or step
        raise


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one request of step 4 or 9 asks, in the terms that both have in common."""

    whom: Whom
    key: str
    valid_until: datetime | None
    step: str
    candidates: Candidates
    find: Callable[[Transaction], Awaitable[list[SipIdentities]]]
    make: Callable[[SipIdentities], IdentityBinding]
    asks_sip_database: bool
    at_most: int | None = None
