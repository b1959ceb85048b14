"""The feed: changes of bindings after a version, for the Diameter proxies and, as whole bindings, for the CMS.

A reader starts at 0 and asks again with the version it got; the answer waits until there is something.  Deletions are
shown while the quarantine lasts; whoever is older than that (``horizon``) is told to start again.  A reading of
everything passes old versions and is not: the reader brings along at which version it ``began``, to any instance.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mmserver.messages import (
    Binding,
    BindingPage,
    BindingState,
    FeedAcknowledgement,
    FeedEntry,
    FeedPage,
    IdentitySet,
    LentRange,
    Role,
    UseReport,
)
from mmserver.migration import uses
from mmserver.migration.bindings import IdentityBinding, use
from mmserver.migration.server import Clock
from mmserver.migration.store import BindingStore, Change, Transaction

RECHECK_S: Final = 2.0
"""How often a waiting reader looks by itself: another process may write to the same database."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Bindings that changed, up to ``version``."""

    version: int
    reset: bool
    complete: bool
    began: int
    bindings: tuple[IdentityBinding, ...]


class Feed:
    """Serves changes, and wakes those who wait for them."""

    def __init__(self, store: BindingStore, lent_range: LentRange, *, clock: Clock) -> None:
        self._store = store
        self._lent_range = lent_range
        self._clock = clock
        self._changed = asyncio.Event()
        self._closed = False

    def notify(self) -> None:
        """Wake every waiting reader: something was committed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def close(self) -> None:
        """Let every waiting reader go, now and from now on."""
        self._closed = True
        self.notify()

    async def changes(
        self, after: int, limit: int, wait_s: float, *, began: int = 0, with_ended: bool = False
    ) -> Changes:
        """Return what changed after version ``after``, waiting ``wait_s`` seconds at most while nothing did.

        A reader that starts is shown what is served; ``with_ended`` shows it what is quarantined too.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            changed = self._changed
            found = await self._read(after, limit, began, with_ended=with_ended)
            remaining = until - loop.time()
            if found.bindings or found.reset or remaining <= 0 or self._closed:
                return found
            try:
                await asyncio.wait_for(changed.wait(), min(remaining, RECHECK_S))
            except TimeoutError:
                continue

    async def page(self, after: int, limit: int, wait_s: float, *, began: int = 0) -> FeedPage:
        """Return a page for a Diameter proxy."""
        found = await self.changes(after, limit, wait_s, began=began)
        return FeedPage(
            lent_range=self._lent_range,
            version=found.version,
            reset=found.reset,
            complete=found.complete,
            began=found.began,
            entries=tuple(to_entry(binding) for binding in found.bindings),
        )

    async def rows(self, after: int, limit: int, *, began: int = 0) -> bytes:
        """Return what is there after a version for a proxy that reads everything: ``FeedRows``, encoded.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        async with self._store.reading() as transaction:
            newest, start, reset = await _begin(transaction, after, began)
            found = await transaction.find_feed_rows(start, limit + 1, served_only=start == 0)
        complete = len(found) <= limit
        del found[limit:]
        head = {
            "lent_range": self._lent_range.model_dump(),
            "version": newest if complete else found[-1].version,
            "reset": reset,
            "complete": complete,
            "began": newest if start == 0 else began,
        }
        rows = ",".join([row.text for row in found])
        return f'{json.dumps(head)[:-1]}, "rows": [{rows}]}}'.encode()

    async def binding_page(self, after: int, limit: int, wait_s: float, *, began: int = 0) -> BindingPage:
        """Return a page of whole bindings for the CMS."""
        found = await self.changes(after, limit, wait_s, began=began, with_ended=True)
        return BindingPage(
            version=found.version,
            reset=found.reset,
            complete=found.complete,
            began=found.began,
            bindings=tuple(to_body(binding) for binding in found.bindings),
        )

    async def look_up(self, identity: str) -> FeedEntry | None:
        """Return the entry of the served binding that lends ``identity``."""
        found = await self._store.find_by_identity(identity)
        now = self._clock()
        return next((to_entry(binding) for binding in found if binding.is_in_feed and now < binding.valid_until), None)

    async def acknowledge(self, acknowledgement: FeedAcknowledgement) -> None:
        """Remember how far a proxy is."""
        async with self._store.writing() as transaction:
            await transaction.acknowledge(acknowledgement.proxy, acknowledgement.version, self._clock())

    async def report_uses(self, report: UseReport) -> None:
        """Mark primary bindings as used, and remember how far this proxy has reported: one transaction."""
        async with self._store.writing() as transaction:
            now = self._clock()
            for handle in report.bindings:
                binding = await transaction.find(handle)
                if binding is not None and binding.role is Role.PRIMARY and binding.unused_until is not None:
                    await transaction.save(binding, use(binding), Change("binding.used", report.proxy, now))
            # Since when by our own clock: that of the proxy may differ, and a late report only shortens the time.
            since = None if report.complete_for_s is None else now - report.complete_for_s
            await transaction.uses.record(report.proxy, uses.UseReport(since, now))

    async def _read(self, after: int, limit: int, began: int, *, with_ended: bool) -> Changes:
        async with self._store.reading() as transaction:
            newest, start, reset = await _begin(transaction, after, began)
            served_only = start == 0 and not with_ended
            found = await transaction.find_changes(start, limit + 1, served_only=served_only)
        complete, page = len(found) <= limit, found[:limit]
        version = newest if complete else page[-1].version
        return Changes(version, reset, complete, newest if start == 0 else began, tuple(page))


async def _begin(transaction: Transaction, after: int, began: int) -> tuple[int, int, bool]:
    """Return the newest version, where to read from, and whether the reader must forget what it has."""
    newest, horizon = await transaction.feed_position()
    # A reading of everything passes versions below the horizon; it began after the last forgotten deletion, or begins
    # anew.  One that has ended is beyond the version at which it began, and gains nothing by naming that.
    is_forgotten = 0 < after < horizon and began < horizon
    reset = after > newest or began > newest or is_forgotten
    return newest, 0 if reset else after, reset


def to_entry(binding: IdentityBinding) -> FeedEntry:
    """Return a binding as a Diameter proxy needs it: the sets cut to what is paired by position."""
    return FeedEntry(
        binding=binding.handle,
        version=binding.version,
        deleted=not binding.is_in_feed,
        role=binding.role,
        other_mc_system=binding.other_mc_system,
        enabled=binding.enabled and not binding.releasing,
        not_after=to_datetime(binding.valid_until),
        identities=_cut(binding, binding.identities.sip_uris, binding.identities.private_user_identity),
        counterpart=_cut(binding, binding.counterpart.sip_uris, binding.counterpart.private_user_identity),
        provisioned=binding.provisioned,
    )


def to_body(binding: IdentityBinding, proxies_behind: tuple[str, ...] = ()) -> Binding:
    """Return a binding as CSC-X shows it."""
    registration = binding.registration
    is_shown_registered = binding.state is BindingState.REGISTERED and registration is not None
    return Binding(
        binding=binding.handle,
        role=binding.role,
        state=binding.state,
        enabled=binding.enabled,
        mc_service_ids=binding.mc_service_ids,
        other_mc_system=binding.other_mc_system,
        migration_management_server=binding.migration_management_server,
        identities=IdentitySet.from_identities(binding.identities),
        counterpart=IdentitySet.from_identities(binding.counterpart),
        provisioned=binding.provisioned,
        valid_until=to_datetime(binding.valid_until),
        version=binding.version,
        registered_until=to_datetime(registration.until) if is_shown_registered and registration else None,
        deregistration=binding.deregistration,
        proxies_behind=proxies_behind,
    )


def to_datetime(seconds: float) -> datetime:
    """Return POSIX seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _cut(binding: IdentityBinding, impus: tuple[str, ...], impi: str) -> IdentitySet:
    count = min(len(binding.identities.sip_uris), len(binding.counterpart.sip_uris))
    return IdentitySet(private_user_identity=impi, public_user_identities=impus[:count])
