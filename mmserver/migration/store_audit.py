"""The audit trail in the database: rows are added in the transaction of the change, and read by who, what, where, when.

Nothing here changes a row: the schema's triggers would not let it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.http.trace import current_traceparent
from mmserver.messages import Deregistration
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.schema import audit, binding_users

ROWS_MAX: Final = 1000
_RECORD: Final = insert(audit)
_REMEMBER: Final = insert(binding_users)
_USERS_OF: Final = select(binding_users.c.handle, binding_users.c.mc_service_id).where(
    binding_users.c.handle.in_(bindparam("handles", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Change:
    """What an audit row says: what happened, when, on whose word, why, and in which trace."""

    event: str
    actor: str
    at: float
    reason: str = ""
    traceparent: str = field(default_factory=current_traceparent)


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which rows are wanted: all conditions together; times are POSIX seconds, ``since`` included, ``until`` not."""

    handle: str | None = None
    mc_service_id: str | None = None
    other_mc_system: str | None = None
    since: float | None = None
    until: float | None = None
    after: int = 0
    limit: int = ROWS_MAX


class AuditTable:
    """The audit trail inside one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, binding: IdentityBinding, change: Change) -> None:
        """Add what happened to a binding."""
        await self._connection.execute(_RECORD, audit_row(binding, change))

    async def record_all(self, changed: Sequence[IdentityBinding], change: Change) -> None:
        """Add the same for each of these bindings."""
        await self._connection.execute(insert(audit), [audit_row(binding, change) for binding in changed])

    async def record_withdrawal(
        self, withdrawal: str, role: str, other_mc_system: str, change: Change, *, lifted: bool
    ) -> None:
        """Add what was decided about a user or a whole agreement."""
        row = _row(
            change,
            handle=withdrawal,
            state="restored" if lifted else "withdrawn",
            enabled=lifted,
            deregistration=Deregistration.NONE.value,
            version=0,
            role=role,
            other_mc_system=other_mc_system,
        )
        await self._connection.execute(insert(audit), row)

    async def remember_users(self, handle: str, mc_service_ids: tuple[str, ...]) -> None:
        """Note whose binding or withdrawal this is, for good."""
        await self.remember_all_users({handle: mc_service_ids})

    async def remember_all_users(self, users: Mapping[str, tuple[str, ...]]) -> None:
        """Note the users of many bindings, by handle."""
        # A name may come back, by an import: the users of its former life are there already.
        found = await self._connection.execute(_USERS_OF, {"handles": sorted(users)})
        noted = {(row[0], row[1]) for row in found}
        wanted = {(handle, user) for handle, theirs in users.items() for user in theirs}
        rows = [{"handle": handle, "mc_service_id": user} for handle, user in sorted(wanted - noted)]
        if rows:
            await self._connection.execute(_REMEMBER, rows)

    async def find(self, wanted: AuditQuery) -> list[Mapping[str, Any]]:
        """Return rows, oldest first; continue after the last one's ``id``."""
        query = select(audit).where(audit.c.id > wanted.after).order_by(audit.c.id).limit(wanted.limit)
        if wanted.handle is not None:
            query = query.where(audit.c.handle == wanted.handle)
        if wanted.mc_service_id is not None:
            theirs = select(binding_users.c.handle).where(binding_users.c.mc_service_id == wanted.mc_service_id)
            query = query.where(audit.c.handle.in_(theirs))
        if wanted.other_mc_system is not None:
            query = query.where(audit.c.other_mc_system == wanted.other_mc_system)
        if wanted.since is not None:
            query = query.where(audit.c.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(audit.c.at < wanted.until)
        return [dict(row) for row in (await self._connection.execute(query)).mappings()]

    async def last_actor(self, handle: str, event: str) -> str | None:
        """Return on whose word this last happened to a binding, or None where it never did."""
        query = select(audit.c.actor).where(audit.c.handle == handle, audit.c.event == event)
        actor: str | None = (await self._connection.execute(query.order_by(audit.c.id.desc()).limit(1))).scalar()
        return actor


def audit_row(binding: IdentityBinding, change: Change) -> dict[str, object]:
    """Return the columns of what happened to a binding."""
    return _row(
        change,
        handle=binding.handle,
        state=binding.state.value,
        enabled=binding.enabled,
        deregistration=binding.deregistration.value,
        version=binding.version,
        role=binding.role.value,
        other_mc_system=binding.other_mc_system,
    )


def _row(change: Change, **values: object) -> dict[str, object]:
    return {
        "at": round(change.at, 6),  # as exact as what is shown, so that a moment read can be asked for
        "event": change.event,
        "actor": change.actor[:255],
        "reason": change.reason[:200],
        "traceparent": change.traceparent,
        **values,
    }
