"""Withdrawal over CSC-17 of what our migration management server has disabled, released or let expire, and restoring.

Follows the changes of CSC-X from the beginning at every start and keeps what partners are to be told in the store, so
neither a restart nor a partner that cannot be reached loses one.  Telling a partner twice does no harm.  Several
instances each tell what they see: the last one tells the newest.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog

from mmserver.configuration.errors import (
    BindingNotFound,
    PartnerUnreachable,
    PeerOverloaded,
    Refusal,
    StoreUnavailable,
)
from mmserver.configuration.peer import PeerFailure
from mmserver.configuration.procedure import PartnerSystem
from mmserver.configuration.tellings import Action, Telling, action_for, retry_after_s
from mmserver.http.trace import trace
from mmserver.messages import Binding, BindingPage, BindingState, PartnerAccessRelease, Role

WAIT_S: Final = 20.0
RETRY_S: Final = 2.0
TICK_S: Final = 0.5
BATCH_S: Final = 0.2
"""Changes that come close together are asked for together: each binding that is made changes twice."""
TELLINGS_MAX: Final = 100_000
FORGET_EVERY_S: Final = 600.0

log = structlog.get_logger()


class BindingChanges(Protocol):
    """The part of CSC-X that is followed."""

    async def changes(self, after: int, began: int, wait_s: float) -> BindingPage:
        """Return bindings that changed after a version."""

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        """Find bindings by a private identity on either side."""


class TellingStore(Protocol):
    """Where tellings survive a restart."""

    async def save_tellings(self, changed: Iterable[Telling]) -> None:
        """Insert or replace."""

    async def find_tellings(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        """Return tellings by binding."""

    async def forget_tellings(self, told_before: float) -> int:
        """Delete what is over."""


class Withdrawals:
    """Tells partners what has ended and what is restored."""

    def __init__(
        self,
        mms: BindingChanges,
        partners: Mapping[str, PartnerSystem],
        *,
        store: TellingStore | None = None,
        keep_s: float = 7 * 86400.0,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._mms = mms
        self._partners = partners
        self._store = store
        self._keep_s = keep_s
        self._clock = clock
        self._chance = chance
        self._after = self._began = 0
        self._tellings: dict[str, Telling] = {}
        self._unsaved: set[str] = set()
        self._due: dict[str, float] = {}
        self._partner_due: dict[str, float] = {}
        self._partner_failures: dict[str, int] = {}
        self._wake = asyncio.Event()

    def pending(self) -> dict[str, int]:
        """Return how many tellings wait, by partner."""
        counts = dict.fromkeys(self._partners, 0)
        for telling in self._tellings.values():
            if telling.pending:
                counts[telling.partner] = counts.get(telling.partner, 0) + 1
        return counts

    async def find(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        """Return what partners have been or are to be told, by binding, 1,000 at most.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        if self._store is not None:
            await self._save()
            return await self._store.find_tellings(partner, pending, after)
        found = sorted(self._tellings.values(), key=lambda one: one.binding.binding)
        return [
            one
            for one in found
            if one.binding.binding > after
            and (partner is None or one.partner == partner)
            and (pending is None or one.pending is pending)
        ][:1000]

    async def start(self) -> None:
        """Remember what the store holds.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        if self._store is None:
            return
        after = ""
        while len(self._tellings) < TELLINGS_MAX:
            page = await self._store.find_tellings(None, None, after)
            self._tellings.update((one.binding.binding, one) for one in page)
            if len(page) < 1000:
                break
            after = page[-1].binding.binding

    async def run(self) -> None:
        """Follow and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_for_ever())
            group.create_task(self._tell_for_ever())
            group.create_task(self._forget_for_ever())

    async def follow(self, wait_s: float) -> bool:
        """Take in one page of changes; say whether it is the last one for now.

        Raises:
            PeerFailure: the migration management server does not answer.
        """
        page = await self._mms.changes(self._after, self._began, wait_s)
        for binding in page.bindings:
            if binding.role is Role.PRIMARY:
                self._take_in(binding)
        self._after, self._began = page.version, page.began
        await self._save_or_say()
        self._wake.set()
        return page.complete

    async def tell(self) -> None:
        """Tell every partner what is due; what fails stays pending and is tried again later and later."""
        now = self._clock()
        due: dict[str, list[Telling]] = {}
        for handle, telling in self._tellings.items():
            if telling.pending and self._due.get(handle, 0.0) <= now >= self._partner_due.get(telling.partner, 0.0):
                due.setdefault(telling.partner, []).append(telling)
        # One partner that does not answer keeps no other from being told.
        await asyncio.gather(*(self._tell_partner(name, tellings) for name, tellings in due.items()))
        await self._save_or_say()

    def ended(self, binding: Binding) -> None:
        """Have the partner told that a binding of ours is over, whatever CSC-X still shows of it."""
        if binding.role is Role.PRIMARY:
            self._take_in(binding.model_copy(update={"state": BindingState.QUARANTINED}))
            self._wake.set()

    def _take_in(self, binding: Binding) -> None:
        before = self._tellings.get(binding.binding)
        action = action_for(binding, before)
        if action is None or (before is not None and before.action is action):
            return
        if before is None and len(self._tellings) >= TELLINGS_MAX and not self._made_room():
            log.error("withdrawals.full", binding=binding.binding, partner=binding.other_mc_system)
            return
        self._note(Telling(binding, action, self._clock()))
        self._due.pop(binding.binding, None)
        log.info("withdrawal.due", binding=binding.binding, partner=binding.other_mc_system, action=action.value)

    def _made_room(self) -> bool:
        over = [one for one in self._tellings.values() if not one.pending and one.action is not Action.WITHDRAW]
        for one in over[: TELLINGS_MAX // 10]:
            self._tellings.pop(one.binding.binding)
        return bool(over)

    def _note(self, telling: Telling) -> None:
        self._tellings[telling.binding.binding] = telling
        self._unsaved.add(telling.binding.binding)

    async def _tell_partner(self, name: str, tellings: list[Telling]) -> None:
        for telling in tellings:
            try:
                with trace():
                    why = await self._tell_one(telling)
            except Refusal as exc:
                if self._failed(telling, exc):
                    return
                continue
            self._partner_failures.pop(name, None)
            if self._tellings.get(telling.binding.binding) is telling:
                self._note(telling.told(self._clock(), why))

    def _failed(self, telling: Telling, exc: Refusal) -> bool:
        """Note a failure; say whether the partner as a whole is to be left alone for a while."""
        now, handle, name = self._clock(), telling.binding.binding, telling.partner
        log.warning("withdrawal.deferred", binding=handle, partner=name, action=telling.action.value, why=exc.name)
        failed = telling.failed(now, exc.name)
        if self._tellings.get(handle) is telling:
            self._note(failed)
        if not isinstance(exc, PartnerUnreachable | PeerOverloaded):
            self._due[handle] = now + retry_after_s(failed.attempts, self._chance)
            return False
        failures = self._partner_failures[name] = self._partner_failures.get(name, 0) + 1
        self._partner_due[name] = now + retry_after_s(failures, self._chance)
        return True

    async def _tell_one(self, telling: Telling) -> str:
        """Tell the partner; return a remark, or an empty text."""
        binding, name = telling.binding, telling.partner
        system = self._partners.get(name)
        if system is None:
            raise PartnerUnreachable("there is no agreement with that MC system")
        if await self._is_overtaken(telling):
            return "overtaken"
        access = PartnerAccessRelease(
            migration_management_server=binding.migration_management_server,
            primary_mc_system_sip_identities=binding.identities,
            reason=f"{telling.action.value} by the primary MC system",
        )
        try:
            match telling.action:
                case Action.WITHDRAW:
                    await system.withdraw(access)
                case Action.RESTORE:
                    await system.restore(access)
                case Action.RELEASE:
                    await system.release(access)
        except BindingNotFound:
            log.debug("withdrawal.needless", binding=binding.binding)
            return "the partner has no such binding"
        log.info(_EVENTS[telling.action], binding=binding.binding, partner=name)
        return ""

    async def _is_overtaken(self, telling: Telling) -> bool:
        """Say whether another binding lends the same set by now: withdrawing it would hit that one."""
        binding = telling.binding
        found = await self._mms.find(Role.PRIMARY, telling.partner, binding.identities.private_user_identity)
        return any(
            one.binding != binding.binding and one.identities == binding.identities and not has_ended(one)
            for one in found
        )

    async def _save(self) -> None:
        if self._store is None:
            self._unsaved.clear()
            return
        handles = list(self._unsaved)
        await self._store.save_tellings([self._tellings[one] for one in handles if one in self._tellings])
        self._unsaved.difference_update(handles)

    async def _save_or_say(self) -> None:
        try:
            await self._save()
        except StoreUnavailable as exc:
            log.error("withdrawals.not-kept", why=exc.detail, count=len(self._unsaved))

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                if await self.follow(WAIT_S):
                    await asyncio.sleep(BATCH_S)
            except PeerFailure as exc:
                log.warning("changes.unavailable", why=str(exc))
                await asyncio.sleep(RETRY_S)

    async def _tell_for_ever(self) -> None:
        while True:
            self._wake.clear()
            await self.tell()
            waiting = any(telling.pending for telling in self._tellings.values())
            try:
                async with asyncio.timeout(TICK_S if waiting else WAIT_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _forget_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            before = self._clock() - self._keep_s
            for handle, one in list(self._tellings.items()):
                if one.told_at is not None and one.told_at < before and one.action is not Action.WITHDRAW:
                    del self._tellings[handle]
            if self._store is not None:
                try:
                    await self._store.forget_tellings(before)
                except StoreUnavailable as exc:
                    log.error("store.unavailable", reason=exc.detail)


def has_ended(binding: Binding) -> bool:
    """Say whether the partner may no longer serve what this binding lent."""
    return not binding.enabled or binding.state is BindingState.QUARANTINED


_EVENTS: Final = {
    Action.WITHDRAW: "binding.withdrawn",
    Action.RESTORE: "binding.restored",
    Action.RELEASE: "binding.released",
}
