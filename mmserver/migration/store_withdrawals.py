"""Withdrawals in the database: for one user and another MC system, or for all users of an agreement.

A withdrawal outlives the bindings that it disables: whoever comes later is refused too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.messages import Role
from mmserver.migration.schema import binding_users, bindings, withdrawals

# Written once: every allocation asks it.
_CONCERNING: Final = (
    select(withdrawals)
    .where(
        withdrawals.c.role == bindparam("of_role"),
        withdrawals.c.other_mc_system == bindparam("of_system"),
        withdrawals.c.mc_service_id.in_(bindparam("users", expanding=True)),
    )
    .limit(1000)
)


@dataclass(frozen=True, slots=True)
class WithdrawalRow:
    """One withdrawal; ``mc_service_id`` is empty for a whole agreement."""

    id: str
    role: Role
    other_mc_system: str
    mc_service_id: str
    at: float
    actor: str
    reason: str
    complete: bool = False


class WithdrawalTable:
    """The withdrawals inside one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, row: WithdrawalRow) -> None:
        """Insert one.

        Raises:
            IdentityTaken: at the end of the transaction's block, when the same one was added at the same moment.
        """
        await self._connection.execute(
            insert(withdrawals).values(
                id=row.id,
                role=row.role.value,
                other_mc_system=row.other_mc_system,
                mc_service_id=row.mc_service_id,
                at=row.at,
                actor=row.actor[:255],
                reason=row.reason[:200],
                complete=row.complete,
            )
        )

    async def get(self, withdrawal: str) -> WithdrawalRow | None:
        """Return the one of that name."""
        return next(iter(await self._many(withdrawals.c.id == withdrawal)), None)

    async def find(self, role: Role, other_mc_system: str, mc_service_ids: tuple[str, ...]) -> list[WithdrawalRow]:
        """Return those that concern one of these users, the whole agreement's included, the user's own first."""
        values = {"of_role": role.value, "of_system": other_mc_system, "users": ["", *mc_service_ids]}
        rows = _rows(await self._connection.execute(_CONCERNING, values))
        return sorted(rows, key=lambda row: (row.mc_service_id == "", row.id))

    async def find_all(
        self, role: Role | None, other_mc_system: str | None, mc_service_id: str | None, after: str, limit: int
    ) -> list[WithdrawalRow]:
        """Return withdrawals by name, from after ``after``."""
        condition = withdrawals.c.id > after
        if role is not None:
            condition &= withdrawals.c.role == role.value
        if other_mc_system is not None:
            condition &= withdrawals.c.other_mc_system == other_mc_system
        if mc_service_id is not None:
            condition &= withdrawals.c.mc_service_id == mc_service_id
        return await self._many(condition, limit)

    async def find_incomplete(self) -> list[WithdrawalRow]:
        """Return those whose bindings have not all been disabled yet."""
        return await self._many(withdrawals.c.complete.is_(False))

    async def complete(self, withdrawal: str) -> None:
        """Note that every binding that it concerns is disabled."""
        await self._connection.execute(update(withdrawals).where(withdrawals.c.id == withdrawal).values(complete=True))

    async def remove(self, withdrawal: str) -> None:
        """Lift one."""
        await self._connection.execute(delete(withdrawals).where(withdrawals.c.id == withdrawal))

    async def outcomes(self, row: WithdrawalRow) -> tuple[dict[str, int], int]:
        """Return how many bindings it has disabled by the outcome of their RTR, and the newest feed version of them."""
        query = select(bindings.c.deregistration, func.count(), func.max(bindings.c.version)).where(
            *_agreement(row), bindings.c.withdrawal == row.id
        )
        rows = list(await self._connection.execute(query.group_by(bindings.c.deregistration)))
        return {found[0]: found[1] for found in rows}, max((found[2] for found in rows), default=0)

    async def count_remaining(self, row: WithdrawalRow) -> int:
        """Return how many live bindings that it concerns are still enabled."""
        query = select(func.count()).select_from(bindings).where(*_agreement(row), bindings.c.enabled.is_(True))
        if row.mc_service_id:
            theirs = select(binding_users.c.handle).where(binding_users.c.mc_service_id == row.mc_service_id)
            query = query.where(bindings.c.handle.in_(theirs))
        return (await self._connection.execute(query)).scalar_one()

    async def _many(self, condition: Any, limit: int = 1000) -> list[WithdrawalRow]:
        query = select(withdrawals).where(condition).order_by(withdrawals.c.id).limit(limit)
        return _rows(await self._connection.execute(query))


def _rows(found: Iterable[Any]) -> list[WithdrawalRow]:
    return [
        WithdrawalRow(
            id=row.id,
            role=Role(row.role),
            other_mc_system=row.other_mc_system,
            mc_service_id=row.mc_service_id,
            at=row.at,
            actor=row.actor,
            reason=row.reason,
            complete=row.complete,
        )
        for row in found
    ]


def _agreement(row: WithdrawalRow) -> tuple[Any, ...]:
    return (bindings.c.other_mc_system == row.other_mc_system, bindings.c.role == row.role.value)
