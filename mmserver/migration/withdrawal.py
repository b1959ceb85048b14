"""The end of bindings: release, disabling, expiry, withdrawal on the word of the home network, and the sweep.

The order is always: first the binding is disabled (from that commit on proxies and UAR refuse it), then the S-CSCF gets
an RTR, then the set is quarantined.  What a crash leaves pending the sweep takes up again.  Of several instances one
sends the RTR: it claims that in the store first (``store_claims``), and the others wait for what comes of it.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from mmserver.identity import Impi
from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration.bindings import (
    IdentityBinding,
    begin_release,
    deregister,
    disable,
    enable,
    finish_deregistration,
    finish_release,
    use,
)
from mmserver.migration.errors import BindingUnknown, MigrationError, StillWithdrawn, StoreUnavailable
from mmserver.migration.server import Clock
from mmserver.migration.store import BindingStore, Change, Transaction
from mmserver.migration.store_claims import Claim
from mmserver.migration.uses import Use, postponed_until, use_of

CLOSE_GRACE_S: Final = 2.5
PENDING_MAX: Final = 200
_DISABLED: Final = "binding.disabled"
"""RTRs that one sweep takes up; the next one comes for the rest."""
OTHERS_POLL_S: Final = 0.1
"""How often we look what came of the RTR that another instance sends, while somebody waits for it."""

log = structlog.get_logger()


class Deregisterer(Protocol):
    """Takes a registered set out of its S-CSCF."""

    @property
    def longest_s(self) -> float:
        """How long a call takes at most."""

    def next_end_to_end(self) -> int:
        """Return an End-to-End Identifier for a new RTR."""

    async def __call__(self, binding: IdentityBinding, end_to_end: int, *, retransmitted: bool) -> bool:
        """Send the RTR; return whether an RTA confirmed it.  Never raises, and ends within ``longest_s``."""


class Pace:
    """Gives turns at a bounded rate; whoever comes after a pause waits for nothing."""

    def __init__(self, rate_per_s: float) -> None:
        self._interval_s = 1.0 / rate_per_s
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._interval_s
        await asyncio.sleep(at - now)


class Withdrawal:
    """Ends bindings, with effect in the SIP core."""

    def __init__(
        self,
        store: BindingStore,
        *,
        clock: Clock,
        quarantine_s: float,
        deregisterer: Deregisterer,
        proxies: Sequence[str] = (),
        rtr_rate_per_s: float = 50.0,
        on_change: Callable[[], None] = lambda: None,
        on_deregistered: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._quarantine_s = quarantine_s
        self._deregister = deregisterer
        self._proxies = proxies
        self._on_change = on_change
        self._on_deregistered = on_deregistered
        self._pace = Pace(rtr_rate_per_s)
        self._under_way: dict[str, asyncio.Task[bool]] = {}
        self._instance = secrets.token_hex(8)

    async def release(self, handle: str, reason: str, actor: str) -> IdentityBinding:
        """Give a binding back: RTR if registered, then quarantine; a held one is free at once.

        Raises:
            BindingUnknown: there is none.
            StoreUnavailable: what is committed by then is taken up by the sweep.
        """
        return await self._end(handle, "binding.released", reason, actor)

    async def disable(
        self, handle: str, reason: str, actor: str, *, may_lift: Callable[[str], bool] = lambda _disabler: False
    ) -> IdentityBinding:
        """Withdraw this binding alone; other partners' are not touched (7.4.2.2.X, EXAMPLE).

        One that a withdrawal has disabled stays so when that is lifted.  One that another has disabled is ``actor``'s
        from now on, if it may undo what that one did (``may_lift``); a repetition is nothing.

        Raises:
            BindingUnknown, BindingNotLive: it is neither allocated nor registered.
        """

        async def run(transaction: Transaction) -> IdentityBinding:
            old = await _required(transaction, handle)
            change = Change(_DISABLED, actor, self._clock(), reason)
            if old.enabled or old.releasing:
                return await transaction.save(old, disable(old, self._clock()), change)
            if old.withdrawal:
                return await transaction.save(old, replace(old, withdrawal=""), change)
            disabler = await transaction.audits.last_actor(handle, _DISABLED)
            if disabler is None or (disabler != actor and may_lift(disabler)):
                await transaction.audits.record(old, change)
            return old

        return await self._settled(await self._write(run))

    def changed(self, transaction: Transaction) -> None:
        """Wake the feed's readers if this committed transaction has something for them."""
        if transaction.changed_feed:
            self._on_change()

    async def settle(self, handles: Iterable[str]) -> None:
        """Send the RTRs that these bindings wait for, now, and wait for what comes of them."""
        await asyncio.gather(*(self._complete(handle) for handle in handles))

    async def enable(
        self, handle: str, reason: str, actor: str, *, may_lift: Callable[[str], bool] = lambda _disabler: True
    ) -> IdentityBinding:
        """Let a disabled binding be used again; ``may_lift`` says whether ``actor`` may undo what another has disabled.

        Raises:
            BindingUnknown, BindingNotLive: it is neither allocated nor registered.
            StillWithdrawn: migration is withdrawn for its user or for the whole agreement, or the one who disabled it
                has more to say.
        """
        if handle in self._under_way:
            await self._complete(handle)

        async def run(transaction: Transaction) -> IdentityBinding:
            old = await _required(transaction, handle)
            new = enable(old)
            if new == old:
                return old
            standing = await transaction.withdrawals.find(old.role, old.other_mc_system, old.mc_service_ids)
            if standing:
                raise StillWithdrawn(f"withdrawal {standing[0].id} stands: restore that")
            disabler = await transaction.audits.last_actor(handle, _DISABLED)
            if disabler is not None and not may_lift(disabler):
                raise StillWithdrawn("an administrator has disabled it, and only one enables it again")
            return await transaction.save(old, new, Change("binding.enabled", actor, self._clock(), reason))

        return await self._write(run)

    async def home_deregistration(self, impi: Impi, actor: str) -> list[IdentityBinding]:
        """Disable what the home network's RTR names: a stolen UE must not stay on at a partner.

        The CMS learns of it from the changes of CSC-X and withdraws over CSC-17.
        """
        async with self._store.reading() as transaction:
            found = await transaction.find_by_private_identity(Role.PRIMARY, impi)
        ended = []
        for binding in found:
            try:
                if binding.state is BindingState.HELD:
                    ended.append(await self.release(binding.handle, "home de-registration", actor))
                else:
                    ended.append(await self.disable(binding.handle, "home de-registration", actor))
            except BindingUnknown:
                continue  # it lapsed in between
        return ended

    async def sweep(self) -> int:
        """Carry out all that is due: lapsed holds, ended quarantines, expiry, aged registrations, pending RTRs.

        Raises:
            StoreUnavailable: try again later.
        """
        now = self._clock()
        async with self._store.reading() as transaction:
            due = await transaction.find_due(now)
            # Apart, so that thousands of RTRs of a withdrawn agreement keep nothing else from its time.
            due += await transaction.find_pending(PENDING_MAX)
        for binding in due:
            await self._sweep_one(binding, now)
        return len(due)

    async def close(self) -> None:
        """Wait a little for RTRs under way; the sweep of the next start takes up what is cut off."""
        if not self._under_way:
            return
        _done, pending = await asyncio.wait(self._under_way.values(), timeout=CLOSE_GRACE_S)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _sweep_one(self, binding: IdentityBinding, now: float) -> None:
        handle = binding.handle
        if binding.state is BindingState.HELD:
            await self._remove_if(binding, "hold.lapsed")
        elif binding.state is BindingState.QUARANTINED:
            await self._remove_if(binding, "quarantine.ended")
        elif binding.deregistration is Deregistration.PENDING:
            self._start(handle, self._pace)
        elif now >= binding.valid_until:
            await self._begin_end(handle, "binding.expired", "", "sweep")
            self._start(handle, self._pace)
        elif binding.unused_until is not None and now >= binding.unused_until:
            await self._end_unused(handle)
        else:
            await self._age_registration(handle)

    async def _end(self, handle: str, event: str, reason: str, actor: str) -> IdentityBinding:
        return await self._settled(await self._begin_end(handle, event, reason, actor))

    async def _begin_end(self, handle: str, event: str, reason: str, actor: str) -> IdentityBinding:
        async def run(transaction: Transaction) -> IdentityBinding:
            old, now = await _required(transaction, handle), self._clock()
            change = Change(event, actor, now, reason)
            if old.state is BindingState.QUARANTINED or (
                old.deregistration is Deregistration.PENDING and old.releasing
            ):
                return old
            if old.state is BindingState.HELD:
                await transaction.remove(old, change)
                return finish_release(old, now, 0.0)
            return await transaction.save(old, self._ending(old, now), change)

        return await self._write(run)

    def _ending(self, old: IdentityBinding, now: float) -> IdentityBinding:
        new = begin_release(old, now)
        if new.deregistration is Deregistration.PENDING:
            return new
        return finish_release(new, now, self._quarantine_s)

    async def _end_unused(self, handle: str) -> None:
        """Give a binding back that nobody used; at the primary only if our proxies' reports prove that (``uses``)."""

        async def run(transaction: Transaction) -> IdentityBinding:
            old, now = await _required(transaction, handle), self._clock()
            is_over = old.is_served(now) and old.unused_until is not None and now >= old.unused_until
            if not is_over:  # used, or ended, since the sweep looked
                return old
            found = Use.NONE
            if old.role is Role.PRIMARY:
                found = use_of(old, self._proxies, await transaction.uses.all(), now)
            if found is Use.NONE:
                return await transaction.save(old, self._ending(old, now), Change("binding.unused", "sweep", now))
            if found is Use.UNKNOWN:
                return await transaction.save(old, use(old), Change("use.unknown", "sweep", now, found.value))
            later = replace(old, unused_until=postponed_until(old, now))
            return await transaction.save(old, later, Change("use.awaited", "sweep", now, found.value))

        await self._unless_gone(self._write(run))

    async def _settled(self, binding: IdentityBinding) -> IdentityBinding:
        if binding.deregistration is not Deregistration.PENDING:
            return binding
        await self._complete(binding.handle)
        async with self._store.reading() as transaction:
            return await transaction.find(binding.handle) or binding

    async def _complete(self, handle: str) -> None:
        # The caller may go away; the RTR and what follows from it must not.
        while not await asyncio.shield(self._start(handle)):
            pass  # the sweep had begun it, and left it to another instance: wait for that

    def _start(self, handle: str, pace: "Pace | None" = None) -> asyncio.Task[bool]:
        task = self._under_way.get(handle)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._deregister_one(handle, pace))
            self._under_way[handle] = task
            task.add_done_callback(lambda _: self._under_way.pop(handle, None))
        return task

    async def _deregister_one(self, handle: str, pace: "Pace | None") -> bool:
        """Send the RTR and write what came of it; return False if, not waiting, it was left to another instance."""
        try:
            if pace is not None:
                await pace.turn()
            while (claimed := await self._claim(handle)) is None:
                if pace is not None:
                    return False
                await asyncio.sleep(OTHERS_POLL_S)
            binding, claim = claimed
            if claim is None:
                return True
            # Without a registration the S-CSCF has let it go by itself in between.
            confirmed = binding.registration is None or await self._deregister(
                binding, claim.end_to_end, retransmitted=claim.is_taken_over
            )
            if binding.registration is not None:
                self._on_deregistered(confirmed)
            await self._write_outcome(handle, confirmed)
        except BindingUnknown:
            log.info("deregistration.late", binding=handle)
        except StoreUnavailable as exc:
            log.error("deregistration.deferred", binding=handle, reason=str(exc))  # the sweep comes back to it
        return True

    async def _claim(self, handle: str) -> "tuple[IdentityBinding, Claim | None] | None":
        """Return the binding with the claim to its RTR, or without one if none is wanted; None if another has it.

        Raises:
            BindingUnknown: it is gone.
        """
        async with self._store.writing() as transaction:
            binding = await _required(transaction, handle)
            if binding.deregistration is not Deregistration.PENDING:
                return binding, None
            wanted = Claim(self._instance, self._deregister.next_end_to_end())
            lease_s, now = self._deregister.longest_s, self._clock()
            claim = await transaction.claims.take(handle, binding.version, wanted, lease_s, now)
        if claim is None:
            return None
        if claim.is_taken_over:
            log.warning("deregistration.taken-over", binding=handle)
        return binding, claim

    async def _write_outcome(self, handle: str, confirmed: bool) -> None:
        async def run(transaction: Transaction) -> IdentityBinding:
            await transaction.claims.drop(handle)
            old, now = await _required(transaction, handle), self._clock()
            if old.deregistration is not Deregistration.PENDING:
                return old
            new = finish_deregistration(old, confirmed=confirmed)
            if new.releasing:
                new = finish_release(new, now, self._quarantine_s)
            event = "deregistration.confirmed" if confirmed else "deregistration.unconfirmed"
            return await transaction.save(old, new, Change(event, "mms", now))

        await self._write(run)

    async def _age_registration(self, handle: str) -> None:
        async def run(transaction: Transaction) -> IdentityBinding:
            old, now = await _required(transaction, handle), self._clock()
            if old.registration is None or old.is_registered(now) or old.deregistration is Deregistration.PENDING:
                return old
            return await transaction.save(old, deregister(old), Change("registration.aged", "sweep", now))

        await self._unless_gone(self._write(run))

    async def _remove_if(self, seen: IdentityBinding, event: str) -> None:
        async def run(transaction: Transaction) -> IdentityBinding:
            old, now = await _required(transaction, seen.handle), self._clock()
            if old.state is seen.state and old.due_at <= now:
                await transaction.remove(old, Change(event, "sweep", now))
            return replace(old, releasing=True)

        await self._unless_gone(self._write(run))

    async def _unless_gone(self, work: Awaitable[IdentityBinding]) -> None:
        try:
            await work
        except BindingUnknown:
            log.debug("binding.gone")

    async def _write(self, run: Callable[[Transaction], Awaitable[IdentityBinding]]) -> IdentityBinding:
        async with self._store.writing() as transaction:
            binding = await run(transaction)
        self.changed(transaction)
        log.info(
            "binding.written",
            binding=binding.handle,
            state=binding.state.value,
            enabled=binding.enabled,
            deregistration=binding.deregistration.value,
        )
        return binding


async def _required(transaction: Transaction, handle: str) -> IdentityBinding:
    binding = await transaction.find(handle)
    if binding is None:
        raise BindingUnknown(f"there is no binding {handle[:64]}")
    return binding


async def sweep_for_ever(withdrawal: Withdrawal, interval_s: float) -> None:
    """Sweep every ``interval_s`` until cancelled; a store that fails now is tried again then."""
    while True:
        try:
            await withdrawal.sweep()
        except MigrationError as exc:
            log.error("sweep.failed", reason=str(exc))
        await asyncio.sleep(interval_s)
