"""Many bindings at a time, for an import: what is known of them in a few questions, new ones in a few statements.

There is one writer at a time, so what is known stays true until the transaction ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.messages import BindingState
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.schema import bindings, lent_identities, withdrawals
from mmserver.migration.store_audit import AuditTable, Change
from mmserver.migration.store_rows import from_row, stored_key, to_row

VALUES_MAX: Final = 500
"""Values of one question."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has of some bindings' names: the live one of a key, the one of a handle, who lends an identity."""

    live: dict[tuple[str, str], IdentityBinding]
    named: dict[str, IdentityBinding]
    lent: frozenset[tuple[str, str]]
    withdrawn: frozenset[tuple[str, str, str]]

    def live_like(self, wanted: IdentityBinding) -> IdentityBinding | None:
        """Return the live binding of its key."""
        return self.live.get((wanted.role.value, stored_key(wanted.key)))

    def has_holder(self, wanted: IdentityBinding) -> bool:
        """Say whether one of its identities is lent or quarantined."""
        return any((identity, wanted.scope) in self.lent for identity in lent_by(wanted))

    def is_withdrawn(self, wanted: IdentityBinding) -> bool:
        """Say whether a withdrawal stands for one of its users, or for its whole agreement."""
        agreement = (wanted.role.value, wanted.other_mc_system)
        return any((*agreement, user) in self.withdrawn for user in ("", *wanted.mc_service_ids))


class BulkTable:
    """Bulk reads and writes inside one writing transaction."""

    def __init__(self, connection: AsyncConnection, audits: AuditTable) -> None:
        self._connection = connection
        self._audits = audits

    async def find_known(self, wanted: Sequence[IdentityBinding]) -> Known:
        """Return what is there of these bindings' keys, handles, identities and users."""
        by_key = await self._bindings(bindings.c.key, {stored_key(one.key) for one in wanted})
        by_handle = await self._bindings(bindings.c.handle, {one.handle for one in wanted})
        lent = await self._rows(
            select(lent_identities.c.identity, lent_identities.c.scope),
            lent_identities.c.identity,
            {identity for one in wanted for identity in lent_by(one)},
        )
        withdrawn = await self._rows(
            select(withdrawals.c.role, withdrawals.c.other_mc_system, withdrawals.c.mc_service_id),
            withdrawals.c.mc_service_id,
            {"", *(user for one in wanted for user in one.mc_service_ids)},
        )
        live = {(one.role.value, one.key): one for one in by_key if one.state is not BindingState.QUARANTINED}
        return Known(
            live=live,
            named={one.handle: one for one in by_handle},
            lent=frozenset((row[0], row[1]) for row in lent),
            withdrawn=frozenset((row[0], row[1], row[2]) for row in withdrawn),
        )

    async def insert(self, new: Sequence[IdentityBinding], change: Change) -> None:
        """Insert bindings with their lent identities, users and audit rows."""
        await self._connection.execute(insert(bindings), [to_row(one) for one in new])
        of_handle = select(bindings.c.handle, bindings.c.id)
        ids = {row[0]: row[1] for row in await self._rows(of_handle, bindings.c.handle, {one.handle for one in new})}
        rows = [
            {"identity": identity, "scope": one.scope, "binding_id": ids[one.handle]}
            for one in new
            for identity in lent_by(one)
        ]
        await self._connection.execute(insert(lent_identities), rows)
        await self._audits.remember_all_users({one.handle: one.mc_service_ids for one in new})
        await self._audits.record_all(new, change)

    async def _bindings(self, column: Any, values: set[str]) -> list[IdentityBinding]:
        return [from_row(row._mapping) for row in await self._rows(select(bindings), column, values)]

    async def _rows(self, query: Any, column: Any, values: set[str]) -> list[Any]:
        found: list[Any] = []
        for some in _parts(sorted(values)):
            found += await self._connection.execute(query.where(column.in_(some)))
        return found


def lent_by(binding: IdentityBinding) -> tuple[str, ...]:
    """Return the identities that a binding lends."""
    return (binding.identities.private_user_identity, *binding.identities.public_user_identities)


def _parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + VALUES_MAX] for start in range(0, len(values), VALUES_MAX))
