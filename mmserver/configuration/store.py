"""Entries of the admin API and the state of withdrawals in a database; SQL and its errors stay in here.

A change, its audit row and the version that it takes are one transaction.  On SQLite every writing transaction begins
with BEGIN IMMEDIATE: without it concurrent read-then-write transactions lose updates without an error.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mmserver.configuration.catalogue import Entry, Kind
from mmserver.configuration.errors import StoreUnavailable
from mmserver.configuration.schema import HEAD, VERSION_TABLE, audit, entries, tellings, version
from mmserver.configuration.tellings import Action, Telling
from mmserver.http.postgresql import connection_arguments
from mmserver.http.store_writers import READ_ONLY, serialise_writers
from mmserver.http.trace import current_traceparent
from mmserver.messages import Binding

POOL_WAIT_S: Final = 5.0
ROWS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What was changed over the admin API, when, by whom."""

    id: int
    at: float
    event: str
    kind: str
    name: str
    actor: str
    traceparent: str
    document: str


class Store:
    """The database of the configuration management server."""

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._engine = create_store_engine(url, busy_timeout_s)

    async def close(self) -> None:
        """Close its connections."""
        await self._engine.dispose()

    async def require_schema(self) -> None:
        """Check that the schema is this program's.

        Raises:
            StoreUnavailable: it is not, or cannot be read.
        """
        async with self._reading() as connection:
            query = sqlalchemy.text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  # a constant
            found = (await connection.execute(query)).scalar()
        if found != HEAD:
            raise StoreUnavailable(f"schema {found}, wanted {HEAD}: run mmserver configuration upgrade")

    async def touch(self) -> None:
        """Commit a write that changes nothing.

        Raises:
            StoreUnavailable: the store takes no write now.
        """
        async with self._writing() as connection:
            for step in (1, -1):  # SQLite writes no page for a row that is overwritten with itself
                await connection.execute(update(version).values(v=version.c.v + step))

    async def version(self) -> int:
        """Return the version of the entries.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        async with self._reading() as connection:
            return int((await connection.execute(select(version.c.v))).scalar_one())

    async def entries(self) -> tuple[int, list[Entry]]:
        """Return all entries and their version.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        async with self._reading() as connection:
            found = int((await connection.execute(select(version.c.v))).scalar_one())
            rows = await connection.execute(select(entries))
            return found, [
                Entry(Kind(row.kind), row.name, row.document, row.version, row.at, row.actor) for row in rows
            ]

    async def put(self, entry: Entry) -> int:
        """Insert or replace an entry; return the new version.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        async with self._writing() as connection:
            taken = await self._taken_version(connection)
            await connection.execute(delete(entries).where(_is(entry.kind, entry.name)))
            await connection.execute(
                insert(entries).values(
                    kind=entry.kind.value,
                    name=entry.name,
                    document=entry.document,
                    version=taken,
                    at=entry.at,
                    actor=entry.actor[:255],
                )
            )
            await self._record(connection, f"{entry.kind}.set", entry)
        return taken

    async def remove(self, entry: Entry) -> bool:
        """Delete an entry; say whether there was one.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        async with self._writing() as connection:
            removed = await connection.execute(delete(entries).where(_is(entry.kind, entry.name)))
            if not removed.rowcount:
                return False
            await self._taken_version(connection)
            await self._record(connection, f"{entry.kind}.removed", entry)
        return True

    async def audit_trail(self, kind: Kind | None, name: str | None, after: int) -> list[AuditRow]:
        """Return what was changed, oldest first, 1,000 at most.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(ROWS_MAX)
        query = query if kind is None else query.where(audit.c.kind == kind.value)
        query = query if name is None else query.where(audit.c.name == name)
        async with self._reading() as connection:
            return [AuditRow(**row._mapping) for row in await connection.execute(query)]

    async def save_tellings(self, changed: Iterable[Telling]) -> None:
        """Insert or replace what partners are told.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        rows = [_telling_row(telling) for telling in changed]
        if not rows:
            return
        async with self._writing() as connection:
            await connection.execute(delete(tellings).where(tellings.c.binding.in_([row["binding"] for row in rows])))
            await connection.execute(insert(tellings), rows)

    async def pending_tellings(self, limit: int) -> list[Telling]:
        """Return what partners have not been told, oldest first.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        query = select(tellings).where(tellings.c.state == "pending").order_by(tellings.c.since).limit(limit)
        async with self._reading() as connection:
            return [_telling(row) for row in await connection.execute(query)]

    async def find_tellings(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        """Return what partners have been or are to be told, by binding, 1,000 at most.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        query = select(tellings).where(tellings.c.binding > after).order_by(tellings.c.binding).limit(ROWS_MAX)
        query = query if partner is None else query.where(tellings.c.partner == partner)
        query = query if pending is None else query.where(tellings.c.state == ("pending" if pending else "told"))
        async with self._reading() as connection:
            return [_telling(row) for row in await connection.execute(query)]

    async def telling(self, binding: str) -> Telling | None:
        """Return what the partner was or is to be told of one binding.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        async with self._reading() as connection:
            row = (await connection.execute(select(tellings).where(tellings.c.binding == binding))).first()
        return None if row is None else _telling(row)

    async def forget_tellings(self, told_before: float) -> int:
        """Delete what was told before then; a withdrawal that stands is kept, for it may be restored.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        over = tellings.c.action != Action.WITHDRAW.value
        async with self._writing() as connection:
            done = await connection.execute(
                delete(tellings).where((tellings.c.state == "told") & (tellings.c.told_at < told_before) & over)
            )
        return int(done.rowcount)

    async def _taken_version(self, connection: AsyncConnection) -> int:
        taken = await connection.execute(update(version).values(v=version.c.v + 1).returning(version.c.v))
        return int(taken.scalar_one())

    async def _record(self, connection: AsyncConnection, what: str, entry: Entry) -> None:
        await connection.execute(
            insert(audit).values(
                at=entry.at,
                event=what,
                kind=entry.kind.value,
                name=entry.name,
                actor=entry.actor[:255],
                traceparent=current_traceparent(),
                document=entry.document,
            )
        )

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with_options = self._engine.execution_options(**READ_ONLY)
        try:
            async with with_options.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
            raise StoreUnavailable(_reason(exc)) from exc

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
            raise StoreUnavailable(_reason(exc)) from exc


def create_store_engine(url: str, busy_timeout_s: float) -> AsyncEngine:
    """Return an asynchronous engine for ``url``; a writer waits ``busy_timeout_s`` for another at most."""
    address = sqlalchemy.make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = create_async_engine(address, pool_timeout=POOL_WAIT_S)
        serialise_writers(engine.sync_engine, busy_timeout_s)
        return engine
    return create_async_engine(
        address,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after the database was away no request pays for its return
        connect_args=connection_arguments(address.query, busy_timeout_s),
    )


def _is(kind: Kind, name: str) -> Any:
    return (entries.c.kind == kind.value) & (entries.c.name == name)


def _telling_row(telling: Telling) -> dict[str, Any]:
    return {
        "binding": telling.binding.binding,
        "partner": telling.partner,
        "action": telling.action.value,
        "state": "pending" if telling.pending else "told",
        "document": telling.binding.model_dump_json(),
        "since": telling.since,
        "attempts": telling.attempts,
        "tried_at": telling.tried_at,
        "told_at": telling.told_at,
        "why": telling.why,
    }


def _telling(row: Any) -> Telling:
    return Telling(
        binding=Binding.model_validate_json(row.document),
        action=Action(row.action),
        since=row.since,
        attempts=row.attempts,
        tried_at=row.tried_at,
        told_at=row.told_at,
        why=row.why,
    )


def _reason(exc: Exception) -> str:
    return str(getattr(exc, "orig", None) or exc)[:200]
