"""Bindings that do not come from 10.1.X.1: entered by hand, imported as JSON lines, exported (pre-provisioned mode).

An import is some lines a transaction, so that it never keeps other writers waiting, and each line may be refused
alone.  Lines that are new or change nothing, nearly all of them, cost a few statements together; the others go one by
one, and no line goes before an earlier one that names the same.  A dry run is one transaction, taken back at the end:
it sees what its own lines would do to each other.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

import structlog
from pydantic import ValidationError

from mmserver.identity import SipIdentities
from mmserver.messages import BindingEntry, BindingState, IdentitySet, Role
from mmserver.migration.agreements import Agreements
from mmserver.migration.allocation import Randomness, require_realms
from mmserver.migration.bindings import SERVED, IdentityBinding, disable, enable, partner_key, primary_key
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import (
    BindingExists,
    BindingNotPaired,
    IdentitiesAlreadyLent,
    IdentityTaken,
    NotStorable,
    Refusal,
    ValidityOver,
)
from mmserver.migration.feed import to_datetime
from mmserver.migration.server import Clock, new_handle
from mmserver.migration.store import BindingStore, Change, Transaction
from mmserver.migration.store_bulk import lent_by

LINES_AT_ONCE: Final = 100
"""Lines of one transaction: a registration that waits for the store waits for so many at the most."""

LINES_MAX: Final = 1000
"""Lines of one import; a longer file comes in parts."""

EXACT_S: Final = 0.001

log = structlog.get_logger()


class Outcome(StrEnum):
    """What an entry did."""

    ENTERED = "entered"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that was not taken, and why."""

    line: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or in a dry run would have done."""

    lines: int
    outcomes: dict[Outcome, int]
    refused: list[RefusedLine]


class _TakenBack(Exception):
    """A dry run ends its transaction by this."""


class _Line(NamedTuple):
    """A line that can be read."""

    number: int
    wanted: IdentityBinding


class Provisioning:
    """Enters, imports and exports bindings.  What an import finds disabled stays so: only an entry by hand enables."""

    def __init__(
        self,
        config: MmsConfig,
        store: BindingStore,
        *,
        clock: Clock,
        randomness: Randomness,
        on_change: Callable[[], None] = lambda: None,
        agreements: Agreements | None = None,
    ) -> None:
        self._home_domain = config.system.home_domain
        self._agreements = agreements or Agreements(config.partners)
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._on_change = on_change

    async def enter(self, entry: BindingEntry, actor: str) -> IdentityBinding:
        """Enter a binding by hand; the same entry again changes validity, ``enabled`` and ``provisioned`` only.

        Raises:
            Refusal: the sets cannot be paired, lie outside their realms, or are lent in another binding.
            StoreUnavailable: nothing was changed.
        """
        wanted = self._wanted(entry)
        try:
            async with self._store.writing() as transaction:
                binding, _outcome = await self._enter(
                    transaction, wanted, Change("binding.entered", actor, self._clock()), may_enable=True
                )
        except IdentityTaken as exc:
            raise IdentitiesAlreadyLent("one of the identities is lent in another binding") from exc
        if transaction.changed_feed:
            self._on_change()
        return binding

    async def import_lines(self, lines: list[str], first_line: int, actor: str, *, dry_run: bool) -> ImportReport:
        """Enter one binding a line; what is refused is reported with its line and hinders no other.

        Raises:
            StoreUnavailable: the lines of earlier transactions are in; the same import again goes on from there.
        """
        report = ImportReport(len(lines), dict.fromkeys(Outcome, 0), [])
        numbered = [(number, text) for number, text in enumerate(lines, first_line) if text.strip()]
        change = Change("binding.imported", actor, self._clock())
        if dry_run:
            with contextlib.suppress(_TakenBack):
                await self._import_part(numbered, change, report, dry_run=True)
            return report
        for start in range(0, len(numbered), LINES_AT_ONCE):
            await self._import_part(numbered[start : start + LINES_AT_ONCE], change, report, dry_run=False)
        counts = {outcome.value: count for outcome, count in report.outcomes.items()}
        log.info("bindings.imported", lines=len(lines), refused=len(report.refused), **counts)
        return report

    async def _import_part(
        self, numbered: list[tuple[int, str]], change: Change, report: ImportReport, *, dry_run: bool
    ) -> None:
        async with self._store.writing() as transaction:
            lines = self._read(numbered, report)
            alone = await self._import_together(transaction, lines, change, report)
            for line in alone:
                with _refusing(report, line.number):
                    report.outcomes[await self._import_line(transaction, line.wanted, change)] += 1
            report.refused.sort(key=lambda refused: refused.line)
            if dry_run:
                raise _TakenBack
        if transaction.changed_feed:
            self._on_change()

    async def export_lines(
        self, role: Role | None, other_mc_system: str | None, mc_service_id: str | None
    ) -> AsyncIterator[str]:
        """Yield the allocated and registered bindings as lines that ``import_lines`` takes.

        Raises:
            StoreUnavailable: the store cannot be read; what was yielded is true.
        """
        after = ""
        while True:
            async with self._store.reading() as transaction:
                page = await transaction.find_all(role, other_mc_system, None, after, 1000, mc_service_id=mc_service_id)
            for binding in page:
                if binding.state in SERVED and not binding.releasing:
                    yield to_entry_line(binding)
            if len(page) < 1000:
                return
            after = page[-1].handle

    def _read(self, numbered: list[tuple[int, str]], report: ImportReport) -> "list[_Line]":
        lines = []
        for number, text in numbered:
            with _refusing(report, number):
                lines.append(_Line(number, self._wanted(BindingEntry.model_validate_json(text))))
        return lines

    async def _import_together(
        self, transaction: Transaction, lines: "list[_Line]", change: Change, report: ImportReport
    ) -> "list[_Line]":
        """Take in what is new or changes nothing; return the other lines."""
        known = await transaction.bulk.find_known([line.wanted for line in lines])
        new: list[_Line] = []
        alone: list[_Line] = []
        touched: set[tuple[str, ...]] = set()
        for line in lines:
            touches = _touched_by(line.wanted)
            is_first, old = touched.isdisjoint(touches), known.live_like(line.wanted)
            touched |= touches
            named = known.named.get(line.wanted.handle)
            if not is_first or known.is_withdrawn(line.wanted):
                alone.append(line)
            elif old is None and named is None and not known.has_holder(line.wanted):
                new.append(line)
            elif old is not None and named == old and self._decided(line.wanted, old, may_enable=False) == old:
                report.outcomes[Outcome.UNCHANGED] += 1
            else:
                alone.append(line)
        if not await _add_all(transaction, [line.wanted for line in new], change):
            return sorted([*new, *alone], key=lambda line: line.number)  # one of them is at fault, and is found alone
        report.outcomes[Outcome.ENTERED] += len(new)
        return alone

    async def _import_line(self, transaction: Transaction, wanted: IdentityBinding, change: Change) -> Outcome:
        try:
            async with transaction.savepoint():
                _binding, outcome = await self._enter(transaction, wanted, change, may_enable=False)
        except IdentityTaken as exc:
            raise IdentitiesAlreadyLent("one of the identities is lent in another binding") from exc
        return outcome

    async def _enter(
        self, transaction: Transaction, wanted: IdentityBinding, change: Change, *, may_enable: bool
    ) -> tuple[IdentityBinding, Outcome]:
        wanted = await _as_withdrawn(transaction, wanted)
        old = await transaction.find_live(wanted.role, wanted.key)
        named = await transaction.find(wanted.handle)
        if named is not None and (old is None or named.handle != old.handle):
            raise BindingExists(f"binding {wanted.handle} is another one")
        if old is None:
            return await transaction.add(wanted, change), Outcome.ENTERED
        new = self._decided(wanted, old, may_enable=may_enable)
        if new is None:
            raise BindingExists(f"binding {old.handle} of the same key has other identities or is being released")
        if new == old:
            return old, Outcome.UNCHANGED
        return await transaction.save(old, new, change), Outcome.CHANGED

    def _decided(self, wanted: IdentityBinding, old: IdentityBinding, *, may_enable: bool) -> IdentityBinding | None:
        """Return what the live binding of the same key becomes; None if it is another one."""
        if old.identities != wanted.identities or old.releasing:
            return None
        return self._renewed(old, wanted, may_enable=may_enable)

    def _renewed(self, old: IdentityBinding, wanted: IdentityBinding, *, may_enable: bool) -> IdentityBinding:
        # What was exported is as exact as a moment of JSON: a difference below that is none.
        is_same_time = abs(old.valid_until - wanted.valid_until) < EXACT_S
        new = replace(
            old,
            state=BindingState.ALLOCATED if old.state is BindingState.HELD else old.state,
            held_until=None,
            provisioned=wanted.provisioned,
            valid_until=old.valid_until if is_same_time else wanted.valid_until,
        )
        # A list that is imported every night must not bring back the UE that was reported stolen.
        if new.enabled == wanted.enabled or (wanted.enabled and not may_enable):
            return new
        # A registered set that is disabled goes through an RTR, whoever disables it.
        return enable(new) if wanted.enabled else disable(new, self._clock(), wanted.withdrawal)

    def _wanted(self, entry: BindingEntry) -> IdentityBinding:
        identities, counterpart = entry.identities.to_identities(), entry.counterpart.to_identities()
        if len(identities.sip_uris) != len(counterpart.sip_uris) or not identities.sip_uris:
            raise BindingNotPaired(f"{len(identities.sip_uris)} SIP URIs against {len(counterpart.sip_uris)}")
        require_realms(identities, [self._home_domain], None)
        is_primary = entry.role is Role.PRIMARY
        if is_primary:
            self._agreements.require(entry.other_mc_system, None)
            key = primary_key(entry.mc_service_ids, counterpart, entry.other_mc_system)
        else:
            identifier = entry.migration_management_server.lower()
            self._agreements.require_agreed(entry.other_mc_system, identifier, counterpart, None)
            key = partner_key(identifier, counterpart)
        now, valid_until = self._clock(), entry.valid_until.timestamp()
        if valid_until <= now:
            raise ValidityOver(f"valid until {entry.valid_until.isoformat()}")
        is_default = identities.private_user_identity == counterpart.private_user_identity
        return IdentityBinding(
            handle=entry.binding or new_handle(self._randomness),
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
            scope=entry.other_mc_system if is_primary and is_default else "",
        )


def to_entry_line(binding: IdentityBinding) -> str:
    """Return a binding as one line of JSON that can be imported."""
    entry = BindingEntry(
        binding=binding.handle,
        role=binding.role,
        enabled=binding.enabled,
        mc_service_ids=binding.mc_service_ids,
        other_mc_system=binding.other_mc_system,
        migration_management_server=binding.migration_management_server,
        identities=IdentitySet.from_identities(binding.identities),
        counterpart=IdentitySet.from_identities(binding.counterpart),
        provisioned=binding.provisioned,
        valid_until=to_datetime(binding.valid_until),
    )
    return entry.model_dump_json(exclude_none=True)


async def _as_withdrawn(transaction: Transaction, wanted: IdentityBinding) -> IdentityBinding:
    """Return it disabled if migration is withdrawn for its user: an import restores nothing."""
    standing = await transaction.withdrawals.find(wanted.role, wanted.other_mc_system, wanted.mc_service_ids)
    return replace(wanted, enabled=False, withdrawal=standing[0].id) if standing else wanted


@contextlib.contextmanager
def _refusing(report: ImportReport, number: int) -> Iterator[None]:
    """Note what is refused within, and go on."""
    try:
        yield
    except Refusal as exc:
        report.refused.append(RefusedLine(number, exc.code, exc.detail))
    except ValidationError as exc:
        report.refused.append(RefusedLine(number, "invalid-request", _first_fault(exc)))


def _touched_by(wanted: IdentityBinding) -> set[tuple[str, ...]]:
    """Return the names that a line claims: two lines with one in common keep their order."""
    identities = {("identity", identity) for identity in lent_by(wanted)}
    return {("handle", wanted.handle), ("key", wanted.role.value, wanted.key), *identities}


async def _add_all(transaction: Transaction, new: list[IdentityBinding], change: Change) -> bool:
    """Add new bindings together; return False, and leave none, if one of them cannot be added."""
    if not new:
        return True
    try:
        async with transaction.savepoint():
            await transaction.add_all(new, change)
    except (IdentityTaken, NotStorable):
        return False
    return True


def _first_fault(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else error["msg"]
