"""The migration management server's answers to the CMS: steps 5 and 10 of 10.1.X.1, confirmation, entry by hand.

Rules without HTTP and without SQL.  One request is one transaction; a lost race for an identity is run again.
"""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

import structlog

from mmserver.identity import Impi, SipIdentities
from mmserver.messages import (
    BindingEntry,
    BindingState,
    PartnerSipIdentitiesRequest,
    PrimarySipIdentitiesRequest,
    Role,
)
from mmserver.migration.allocation import (
    PARTNER_STEP,
    PRIMARY_STEP,
    Randomness,
    free_partner_set,
    free_primary_set,
    random_set,
    require_realms,
    sip_only,
)
from mmserver.migration.bindings import IdentityBinding, ask_again, confirm, partner_key, primary_key
from mmserver.migration.config import MmsConfig, PartnerTable
from mmserver.migration.errors import (
    BindingExists,
    BindingNotPaired,
    BindingUnknown,
    ForeignMigrationManagementServer,
    IdentitiesAlreadyLent,
    IdentityTaken,
    MigrationWithdrawn,
    NoPrimarySetForPartner,
    Refusal,
    UnknownPartner,
    ValidityOver,
)
from mmserver.migration.store import BindingStore, Change, Transaction

TRIES_MAX: Final = 3
LISTED_MAX: Final = 1000

Clock = Callable[[], float]


class Whom(NamedTuple):
    """Whom a request concerns: our role, the other MC system, the MC service user."""

    role: Role
    other_mc_system: str
    mc_service_ids: tuple[str, ...]


T = TypeVar("T")
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
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._on_change = on_change
        self._partners = {partner.name: partner for partner in config.partners}
        self._pool = tuple(entry.identity_set().to_identities() for entry in config.allocation.partner.sets)

    async def get_primary_sip_identities(self, request: PrimarySipIdentitiesRequest, actor: str) -> IdentityBinding:
        """Allocate a primary migration set for the MC user and partner, or return the one it has (step 5).

        Raises:
            Refusal: with step 10.1.X.1-5.
            StoreUnavailable: nothing was changed.
        """
        default = request.default_identities.to_identities()
        partner = request.partner_mc_system
        self._partner(partner, PRIMARY_STEP)
        key = primary_key(request.mc_service_ids, default, partner)

        async def choose(transaction: Transaction) -> IdentityBinding:
            identities = await self._choose_primary(transaction, request, sip_only(default, PRIMARY_STEP))
            return IdentityBinding(
                handle=self._handle(),
                role=Role.PRIMARY,
                key=key,
                other_mc_system=partner,
                migration_management_server=self._config.system.identifier,
                mc_service_ids=request.mc_service_ids,
                identities=identities,
                counterpart=default,
                valid_until=0.0,
                provisioned=self._config.allocation.primary.is_provisioned,
                scope=partner if self._config.allocation.primary.mode == "default" else "",
            )

        whom = Whom(Role.PRIMARY, partner, request.mc_service_ids)
        return await self._allocate(whom, key, request.valid_until, PRIMARY_STEP, actor, choose)

    async def get_partner_sip_identities(self, request: PartnerSipIdentitiesRequest, actor: str) -> IdentityBinding:
        """Allocate a partner set bound to (primary MMS, primary migration set), or return the one it has (step 10).

        Raises:
            Refusal: with step 10.1.X.1-10.
            StoreUnavailable: nothing was changed.
        """
        primary = request.primary_mc_system_sip_identities.to_identities()
        identifier = request.migration_management_server.lower()
        self._require_agreed(request.primary_mc_system, identifier, primary, PARTNER_STEP)
        key = partner_key(identifier, primary)

        async def choose(transaction: Transaction) -> IdentityBinding:
            wanted = len(sip_only(primary, PARTNER_STEP).sip_uris)
            return IdentityBinding(
                handle=self._handle(),
                role=Role.PARTNER,
                key=key,
                other_mc_system=request.primary_mc_system,
                migration_management_server=identifier,
                mc_service_ids=request.mc_service_ids,
                identities=await self._choose_partner(transaction, wanted),
                counterpart=primary,
                valid_until=0.0,
            )

        whom = Whom(Role.PARTNER, request.primary_mc_system, request.mc_service_ids)
        return await self._allocate(whom, key, request.valid_until, PARTNER_STEP, actor, choose)

    async def confirm(self, handle: str, reason: str, actor: str) -> IdentityBinding:
        """Make a held binding valid: the CMS has got as far as step 12.

        Raises:
            BindingUnknown, BindingNotLive: the hold has lapsed, or it is released.
        """

        async def run(transaction: Transaction) -> IdentityBinding:
            old = await self._required(transaction, handle)
            new = confirm(old, self._clock())
            if new == old:
                return old
            return await transaction.save(old, new, Change("binding.confirmed", actor, self._clock(), reason))

        return await self._write(run)

    async def enter(self, entry: BindingEntry, actor: str) -> IdentityBinding:
        """Enter a binding by hand (pre-provisioned mode); the same entry again changes validity and ``enabled`` only.

        Raises:
            Refusal: the sets cannot be paired, lie outside their realms, or are lent in another binding.
        """
        wanted = self._entered(entry)

        async def run(transaction: Transaction) -> IdentityBinding:
            old = await transaction.find_live(wanted.role, wanted.key)
            named = await transaction.find(wanted.handle)
            if named is not None and (old is None or named.handle != old.handle):
                raise BindingExists(f"binding {wanted.handle} is another one")
            if old is None:
                return await transaction.add(wanted, Change("binding.entered", actor, self._clock()))
            if old.identities != wanted.identities or old.releasing:
                raise BindingExists(f"binding {old.handle} of the same key has other identities or is being released")
            new = replace(
                old,
                state=BindingState.ALLOCATED if old.state is BindingState.HELD else old.state,
                held_until=None,
                enabled=wanted.enabled,
                provisioned=wanted.provisioned,
                valid_until=wanted.valid_until,
            )
            return await transaction.save(old, new, Change("binding.entered", actor, self._clock()))

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
        async with self._store.reading() as transaction:
            acknowledged = await transaction.acknowledged()
        return tuple(proxy for proxy in self._config.http.clients.feed if acknowledged.get(proxy, 0) < binding.version)

    async def _allocate(
        self,
        whom: Whom,
        key: str,
        asked_until: datetime | None,
        step: str,
        actor: str,
        choose: Callable[[Transaction], Awaitable[IdentityBinding]],
    ) -> IdentityBinding:
        lifetime = self._config.lifetime

        async def run(transaction: Transaction) -> IdentityBinding:
            now = self._clock()
            valid_until = self._valid_until(asked_until, now, step)
            await _require_not_withdrawn(transaction, whom, step)
            old = await transaction.find_live(whom.role, key)
            if old is None:
                held = replace(await choose(transaction), held_until=now + lifetime.held_s, valid_until=valid_until)
                return await transaction.add(held, Change("binding.held", actor, now))
            new = ask_again(old, now, lifetime.held_s, valid_until, lifetime.valid_s)
            if new == old:
                return old
            return await transaction.save(old, new, Change("binding.renewed", actor, now))

        try:
            return await self._write(run)
        except Refusal as exc:
            exc.step = exc.step or step
            raise

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

    async def _choose_primary(
        self, transaction: Transaction, request: PrimarySipIdentitiesRequest, default: SipIdentities
    ) -> SipIdentities:
        allocation = self._config.allocation.primary
        if allocation.mode == "default":
            return default
        if allocation.mode == "random":
            home_domain = self._config.system.home_domain
            return random_set(home_domain, allocation.prefix, len(default.sip_uris), self._randomness)
        configured = [
            entry.identity_set().to_identities()
            for entry in allocation.sets
            if entry.mc_service_id in request.mc_service_ids and entry.partner == request.partner_mc_system
        ]
        if not configured:
            raise NoPrimarySetForPartner(
                f"no set of this MC service user is configured for {request.partner_mc_system}", step=PRIMARY_STEP
            )
        return free_primary_set(configured, await self._taken(transaction, configured), default)

    async def _choose_partner(self, transaction: Transaction, wanted: int) -> SipIdentities:
        allocation = self._config.allocation.partner
        if allocation.mode == "random":
            return random_set(self._config.system.home_domain, allocation.prefix, wanted, self._randomness)
        return free_partner_set(self._pool, await self._taken(transaction, self._pool), wanted)

    async def _taken(
        self, transaction: Transaction, sets: tuple[SipIdentities, ...] | list[SipIdentities]
    ) -> Callable[[SipIdentities], bool]:
        taken = await transaction.taken((text for entry in sets for text in entry.mapped), scope="")
        return lambda candidate: not taken.isdisjoint(candidate.mapped)

    def _entered(self, entry: BindingEntry) -> IdentityBinding:
        identities, counterpart = entry.identities.to_identities(), entry.counterpart.to_identities()
        if len(identities.sip_uris) != len(counterpart.sip_uris) or not identities.sip_uris:
            raise BindingNotPaired(f"{len(identities.sip_uris)} SIP URIs against {len(counterpart.sip_uris)}")
        require_realms(identities, [self._config.system.home_domain], None)
        is_primary = entry.role is Role.PRIMARY
        if is_primary:
            self._partner(entry.other_mc_system, None)
            key = primary_key(entry.mc_service_ids, counterpart, entry.other_mc_system)
        else:
            identifier = entry.migration_management_server.lower()
            self._require_agreed(entry.other_mc_system, identifier, counterpart, None)
            key = partner_key(identifier, counterpart)
        valid_until = entry.valid_until.timestamp()
        if valid_until <= self._clock():
            raise ValidityOver(f"valid until {entry.valid_until.isoformat()}")
        return IdentityBinding(
            handle=entry.binding or self._handle(),
            role=entry.role,
            key=key,
            other_mc_system=entry.other_mc_system,
            migration_management_server=entry.migration_management_server.lower(),
            mc_service_ids=entry.mc_service_ids,
            identities=SipIdentities(identities.private_user_identity, identities.sip_uris),
            counterpart=counterpart,
            valid_until=valid_until,
            state=BindingState.ALLOCATED,
            enabled=entry.enabled,
            provisioned=entry.provisioned and is_primary,
            scope=entry.other_mc_system if is_primary and _is_equal(identities, counterpart) else "",
        )

    def _require_agreed(self, system: str, identifier: str, identities: SipIdentities, step: str | None) -> None:
        partner = self._partner(system, step)
        if identifier not in (name.lower() for name in partner.migration_management_servers):
            raise ForeignMigrationManagementServer(
                f"{identifier} is no migration management server of {system}", step=step
            )
        require_realms(identities, partner.realms, step)

    def _partner(self, name: str, step: str | None) -> PartnerTable:
        partner = self._partners.get(name)
        if partner is None:
            raise UnknownPartner(f"there is no agreement with {name}", step=step)
        return partner

    def _valid_until(self, asked: datetime | None, now: float, step: str) -> float:
        longest = now + self._config.lifetime.valid_s
        if asked is None:
            return longest
        if asked.timestamp() <= now:
            raise ValidityOver(f"valid until {asked.isoformat()}", step=step)
        return min(longest, asked.timestamp())

    def _handle(self) -> str:
        return "b-" + base64.b32encode(self._randomness(10)).decode().lower()

    async def _required(self, transaction: Transaction, handle: str) -> IdentityBinding:
        binding = await transaction.find(handle)
        if binding is None:
            raise BindingUnknown(f"there is no binding {handle[:64]}")
        return binding


async def _require_not_withdrawn(transaction: Transaction, whom: Whom, step: str) -> None:
    standing = await transaction.withdrawals.find(*whom)
    if standing:
        of = "this user" if standing[0].mc_service_id else "all users"
        raise MigrationWithdrawn(f"withdrawn for {of} and {whom.other_mc_system} by {standing[0].id}", step=step)


def _is_equal(identities: SipIdentities, counterpart: SipIdentities) -> bool:
    return Impi(identities.private_user_identity) == counterpart.private_user_identity
