"""Migration withdrawn for one user and another MC system, or for a whole agreement (7.4.2.2.X, EXAMPLE), and restored.

The withdrawal is written first and refuses steps 5 and 10 from then on; then every binding that it concerns is disabled
in batches; then RTRs go out at a bounded rate.  A crash in between costs nothing: the sweep goes on where it ended.
"""

import asyncio
import base64
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration.allocation import Randomness
from mmserver.migration.bindings import IdentityBinding, disable, enable
from mmserver.migration.errors import IdentityTaken, MigrationError, UnknownPartner, WithdrawalUnknown
from mmserver.migration.server import Clock
from mmserver.migration.store import BindingStore, Change, Transaction
from mmserver.migration.store_withdrawals import WithdrawalRow
from mmserver.migration.withdrawal import Withdrawal

BATCH: Final = 200
LISTED_MAX: Final = 1000
LATE_S: Final = 60.0
"""An allocation that began before the withdrawal was seen has committed by then: until then the sweep looks again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a withdrawal is: bindings still enabled, disabled, and what became of their RTRs."""

    row: WithdrawalRow
    remaining: int
    disabled: int
    pending: int
    confirmed: int
    unconfirmed: int
    proxies_behind: tuple[str, ...]


class UserWithdrawals:
    """Withdraws migration from users and agreements, and gives it back."""

    def __init__(
        self,
        store: BindingStore,
        withdrawal: Withdrawal,
        *,
        clock: Clock,
        randomness: Randomness,
        partners: Container[str],
        proxies: tuple[str, ...],
    ) -> None:
        self._store = store
        self._withdrawal = withdrawal
        self._clock = clock
        self._randomness = randomness
        self._partners = partners
        self._proxies = proxies
        self._carrying_out = asyncio.Lock()

    async def withdraw(
        self, role: Role, other_mc_system: str, mc_service_id: str, reason: str, actor: str
    ) -> WithdrawalRow:
        """Withdraw migration; an empty ``mc_service_id`` means the whole agreement.  Twice is once.

        One user's RTRs have their outcome when this returns; an agreement's follow at their own rate.

        Raises:
            UnknownPartner: there is no such agreement.
            StoreUnavailable: what is committed by then is taken up by the sweep.
        """
        if other_mc_system not in self._partners:
            raise UnknownPartner(f"there is no agreement with {other_mc_system}")
        row = await self._written(role, other_mc_system, mc_service_id, reason, actor)
        if not mc_service_id:
            return row  # thousands of bindings: the sweep carries it out, the progress shows how far
        await asyncio.shield(asyncio.ensure_future(self.carry_out(row)))
        await self._withdrawal.settle(await self._pending(row))
        return row

    async def restore(self, withdrawal: str, reason: str, actor: str) -> int:
        """Lift a withdrawal; return how many bindings were enabled.  What another one disables stays disabled.

        Raises:
            WithdrawalUnknown: there is none of that name.
            StoreUnavailable: it stands; try again.
        """
        return await asyncio.shield(asyncio.ensure_future(self._restore(withdrawal, reason, actor)))

    async def get(self, withdrawal: str) -> Progress:
        """Return how far a withdrawal is.

        Raises:
            WithdrawalUnknown: there is none of that name.
        """
        async with self._store.reading() as transaction:
            return await self._progress(transaction, await _required(transaction, withdrawal))

    async def find_all(
        self, role: Role | None, other_mc_system: str | None, mc_service_id: str | None, after: str = ""
    ) -> list[Progress]:
        """Return withdrawals by name, at most ``LISTED_MAX``."""
        async with self._store.reading() as transaction:
            rows = await transaction.withdrawals.find_all(role, other_mc_system, mc_service_id, after, LISTED_MAX)
            return [await self._progress(transaction, row) for row in rows]

    async def sweep(self) -> None:
        """Carry on with what a crash, or an agreement's size, has left to do.

        Raises:
            StoreUnavailable: try again later.
        """
        async with self._store.reading() as transaction:
            rows = await transaction.withdrawals.find_incomplete()
        for row in rows:
            await self.carry_out(row)
            if self._clock() >= row.at + LATE_S:
                async with self._store.writing() as transaction:
                    await transaction.withdrawals.complete(row.id)

    async def _pending(self, row: WithdrawalRow) -> list[str]:
        """Return the bindings whose RTR is due, whoever has disabled them: a sweep may have come in between."""
        async with self._store.reading() as transaction:
            found = await transaction.find_live_of(row.role, row.other_mc_system, row.mc_service_id, withdrawal=row.id)
        return [binding.handle for binding in found if binding.deregistration is Deregistration.PENDING]

    async def carry_out(self, row: WithdrawalRow) -> None:
        """Disable all that a withdrawal concerns."""
        async with self._carrying_out:
            while True:
                async with self._store.writing() as transaction:
                    batch = await self._batch(transaction, row)
                self._withdrawal.changed(transaction)
                if len(batch) < BATCH:
                    return

    async def _batch(self, transaction: Transaction, row: WithdrawalRow) -> list[IdentityBinding]:
        standing = await transaction.withdrawals.get(row.id)
        if standing is None:
            return []  # restored meanwhile
        whom = (row.role, row.other_mc_system, row.mc_service_id)
        change = Change("binding.withdrawn", row.actor, self._clock(), f"{row.id} {row.reason}".rstrip())
        found = await transaction.find_live_of(*whom, withdrawal=None, limit=BATCH)
        done = [await self._disabled(transaction, binding, row, change) for binding in found]
        if len(done) < BATCH and row.mc_service_id:
            # What the agreement's withdrawal has disabled is the user's own from now on: it outlives the other.
            for over in await transaction.withdrawals.find(row.role, row.other_mc_system, ()):
                for binding in await transaction.find_live_of(*whom, withdrawal=over.id):
                    await transaction.save(binding, replace(binding, withdrawal=row.id), change)
        return done

    async def _disabled(
        self, transaction: Transaction, old: IdentityBinding, row: WithdrawalRow, change: Change
    ) -> IdentityBinding:
        if old.state is BindingState.HELD:
            await transaction.remove(old, change)
            return old
        return await transaction.save(old, disable(old, self._clock(), row.id), change)

    async def _written(
        self, role: Role, other_mc_system: str, mc_service_id: str, reason: str, actor: str
    ) -> WithdrawalRow:
        name = "w-" + base64.b32encode(self._randomness(10)).decode().lower()
        row = WithdrawalRow(name, role, other_mc_system, mc_service_id, self._clock(), actor, reason)
        try:
            async with self._store.writing() as transaction:
                for standing in await transaction.withdrawals.find(role, other_mc_system, (mc_service_id,)):
                    if standing.mc_service_id == mc_service_id:
                        return standing
                await transaction.withdrawals.add(row)
                if mc_service_id:
                    await transaction.audits.remember_users(name, (mc_service_id,))
                change = Change("migration.withdrawn", actor, row.at, reason)
                await transaction.audits.record_withdrawal(name, role.value, other_mc_system, change, lifted=False)
        except IdentityTaken:  # another instance was first
            return await self._written(role, other_mc_system, mc_service_id, reason, actor)
        log.warning("migration.withdrawn", withdrawal=name, role=role.value, other_mc_system=other_mc_system)
        return row

    async def _restore(self, withdrawal: str, reason: str, actor: str) -> int:
        count = 0
        while True:
            async with self._store.writing() as transaction:
                row = await _required(transaction, withdrawal)
                whom = (row.role, row.other_mc_system, row.mc_service_id)
                found = await transaction.find_live_of(*whom, withdrawal=row.id, limit=BATCH)
                for binding in found:
                    count += await self._enabled(transaction, binding, row, reason, actor)
                if len(found) < BATCH:
                    await transaction.withdrawals.remove(row.id)
                    change = Change("migration.restored", actor, self._clock(), reason)
                    await transaction.audits.record_withdrawal(
                        row.id, row.role.value, row.other_mc_system, change, lifted=True
                    )
            self._withdrawal.changed(transaction)
            if len(found) < BATCH:
                log.warning("migration.restored", withdrawal=row.id, bindings=count)
                return count

    async def _enabled(
        self, transaction: Transaction, old: IdentityBinding, row: WithdrawalRow, reason: str, actor: str
    ) -> int:
        change = Change("binding.restored", actor, self._clock(), f"{row.id} {reason}".rstrip())
        standing = await transaction.withdrawals.find(old.role, old.other_mc_system, old.mc_service_ids)
        others = [other for other in standing if other.id != row.id]
        if others:
            await transaction.save(old, replace(old, withdrawal=others[0].id), change)
            return 0
        if old.releasing:
            await transaction.save(old, replace(old, withdrawal=""), change)
            return 0
        await transaction.save(old, enable(old), change)
        return 1

    async def _progress(self, transaction: Transaction, row: WithdrawalRow) -> Progress:
        outcomes, newest = await transaction.withdrawals.outcomes(row)
        acknowledged = await transaction.acknowledged()
        return Progress(
            row=row,
            remaining=await transaction.withdrawals.count_remaining(row),
            disabled=sum(outcomes.values()),
            pending=outcomes.get(Deregistration.PENDING.value, 0),
            confirmed=outcomes.get(Deregistration.CONFIRMED.value, 0),
            unconfirmed=outcomes.get(Deregistration.UNCONFIRMED.value, 0),
            proxies_behind=tuple(proxy for proxy in self._proxies if acknowledged.get(proxy, 0) < newest),
        )


async def _required(transaction: Transaction, withdrawal: str) -> WithdrawalRow:
    row = await transaction.withdrawals.get(withdrawal)
    if row is None:
        raise WithdrawalUnknown(f"there is no withdrawal {withdrawal[:64]}")
    return row


async def sweep_withdrawals_for_ever(withdrawals: UserWithdrawals, interval_s: float) -> None:
    """Carry withdrawals out every ``interval_s`` until cancelled; a store that fails now is tried again then."""
    while True:
        try:
            await withdrawals.sweep()
        except MigrationError as exc:
            log.error("sweep.failed", reason=str(exc))
        await asyncio.sleep(interval_s)
