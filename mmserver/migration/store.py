"""Bindings in a database: transactions in which the rules of ``server`` read and write whole bindings.

A change, its audit row and the feed version that it takes are one transaction.  SQL and its errors stay in here.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import structlog
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mmserver.messages import BindingState, Role
from mmserver.migration.bindings import PENDING_DUE_AT, SERVED, IdentityBinding
from mmserver.migration.errors import IdentityTaken, NotStorable, SchemaOutdated, StoreUnavailable
from mmserver.migration.schema import (
    HEAD,
    acknowledgements,
    binding_users,
    bindings,
    feed_version,
    lent_identities,
)
from mmserver.migration.store_audit import AuditQuery, AuditTable, Change
from mmserver.migration.store_bulk import BulkTable
from mmserver.migration.store_claims import ClaimTable
from mmserver.migration.store_engine import (
    begin_writing,
    create_store_engine,
    listening_arguments,
    read_options,
    renewals_engine,
)
from mmserver.migration.store_feed import FeedRow, find_feed_rows
from mmserver.migration.store_life import begin_life, is_own_life
from mmserver.migration.store_listener import WAKE, listen_for_ever
from mmserver.migration.store_look_up import LookUp
from mmserver.migration.store_renewal import Renewal
from mmserver.migration.store_rows import LENDERS, from_row, stored_key, to_row
from mmserver.migration.store_uses import UseTable
from mmserver.migration.store_withdrawals import WithdrawalTable

__all__ = ["BindingStore", "Change", "Transaction"]

ROWS_MAX: Final = 1000
# Written once: SQLAlchemy takes longer to put such a statement together than SQLite to carry it out, and a registration
# at the partner waits for several of them.
_OVERWRITE: Final = update(bindings).where(bindings.c.handle == bindparam("of_handle"))
LIVE: Final = bindings.c.state != BindingState.QUARANTINED.value
_OF_HANDLE: Final = select(bindings).where(bindings.c.handle == bindparam("of_handle")).limit(1)
_LIVE_OF_KEY: Final = (
    select(bindings)
    .where(bindings.c.role == bindparam("of_role"), bindings.c.key == bindparam("of_key"), LIVE)
    .limit(1)
)
_TAKEN: Final = select(lent_identities.c.identity).where(
    lent_identities.c.identity.in_(bindparam("wanted", expanding=True)),
    lent_identities.c.scope == bindparam("of_scope"),
)
_ADD: Final = insert(bindings)
_ADD_LENT: Final = insert(lent_identities)
# Not a sequence: with one, a reader could skip a change that commits late.
_TAKE_VERSION: Final = update(feed_version).values(v=feed_version.c.v + 1).returning(feed_version.c.v)
_ACKNOWLEDGED: Final = select(acknowledgements.c.proxy, acknowledgements.c.version)

log = structlog.get_logger()


class Transaction:
    """Reads and writes inside one transaction of ``BindingStore``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.changed_feed = False
        self.ended_life = False
        self.audits = AuditTable(connection)
        self.bulk = BulkTable(connection, self.audits)
        self.claims = ClaimTable(connection)
        self.withdrawals = WithdrawalTable(connection)
        self.uses = UseTable(connection)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Yield a part of the transaction that may fail alone.

        Raises:
            IdentityTaken: a uniqueness constraint said no; only this part is undone.
        """
        with _translated():
            async with self._connection.begin_nested():
                yield

    async def find(self, handle: str) -> IdentityBinding | None:
        """Return the binding of that handle."""
        return await self._one(_OF_HANDLE, {"of_handle": handle})

    async def find_live(self, role: Role, key: str) -> IdentityBinding | None:
        """Return the binding of that key that is not quarantined."""
        return await self._one(_LIVE_OF_KEY, {"of_role": role.value, "of_key": stored_key(key)})

    async def find_by_identity(self, identity: str) -> list[IdentityBinding]:
        """Return the bindings that lend this identity (several only where a default set is lent as it is)."""
        return await self._many(LENDERS, {"wanted": identity})

    async def find_by_private_identity(self, role: Role, impi: str) -> list[IdentityBinding]:
        """Return the live bindings whose lent set or counterpart has this IMPI."""
        mine = bindings.c.private_user_identity == impi
        theirs = bindings.c.counterpart_private_user_identity == impi
        return await self._many(select(bindings).where((mine | theirs) & (bindings.c.role == role.value) & LIVE))

    async def find_all(
        self,
        role: Role | None,
        other_mc_system: str | None,
        impi: str | None,
        after: str,
        limit: int,
        *,
        mc_service_id: str | None = None,
        state: BindingState | None = None,
        enabled: bool | None = None,
    ) -> list[IdentityBinding]:
        """Return bindings by handle, in its order, from after ``after``; at most ``limit``."""
        query = select(bindings).where(bindings.c.handle > after).order_by(bindings.c.handle).limit(limit)
        if role is not None:
            query = query.where(bindings.c.role == role.value)
        if other_mc_system is not None:
            query = query.where(bindings.c.other_mc_system == other_mc_system)
        if impi is not None:
            counterpart = bindings.c.counterpart_private_user_identity == impi
            query = query.where((bindings.c.private_user_identity == impi) | counterpart)
        if mc_service_id is not None:
            theirs = select(binding_users.c.handle).where(binding_users.c.mc_service_id == mc_service_id)
            query = query.where(bindings.c.handle.in_(theirs))
        if state is not None:
            query = query.where(bindings.c.state == state.value)
        if enabled is not None:
            query = query.where(bindings.c.enabled.is_(enabled))
        return await self._many(query)

    async def find_live_of(
        self,
        role: Role,
        other_mc_system: str,
        mc_service_id: str,
        *,
        withdrawal: str | None,
        limit: int = ROWS_MAX,
    ) -> list[IdentityBinding]:
        """Return live bindings of an agreement, or of one user in it: the enabled ones, or those it has disabled."""
        query = select(bindings).where(
            bindings.c.other_mc_system == other_mc_system, bindings.c.role == role.value, LIVE
        )
        if withdrawal is None:
            query = query.where(bindings.c.enabled.is_(True))
        else:
            query = query.where(bindings.c.enabled.is_(False), bindings.c.withdrawal == withdrawal)
        if mc_service_id:
            theirs = select(binding_users.c.handle).where(binding_users.c.mc_service_id == mc_service_id)
            query = query.where(bindings.c.handle.in_(theirs))
        return await self._many(query.order_by(bindings.c.id).limit(limit))

    async def count_live_of(self, role: Role, other_mc_system: str, limit: int) -> int:
        """Return how many live bindings an agreement has; counting ends at ``limit``."""
        theirs = (bindings.c.other_mc_system == other_mc_system) & (bindings.c.role == role.value) & LIVE
        some = select(bindings.c.id).where(theirs).limit(limit).subquery()
        return int((await self._connection.execute(select(func.count()).select_from(some))).scalar_one())

    async def lock_version(self) -> None:
        """Let no other transaction take a version until this one ends; on SQLite there is none beside it anyway."""
        await self._connection.execute(select(feed_version.c.v).with_for_update())

    async def find_due(self, now: float, limit: int = ROWS_MAX) -> list[IdentityBinding]:
        """Return bindings for which something falls due by ``now``, the longest due first, pending RTRs left out."""
        query = select(bindings).where(bindings.c.due_at <= now, bindings.c.due_at > PENDING_DUE_AT)
        return await self._many(query.order_by(bindings.c.due_at).limit(limit))

    async def find_pending(self, limit: int) -> list[IdentityBinding]:
        """Return bindings whose RTR has not been carried out yet."""
        query = select(bindings).where(bindings.c.due_at == PENDING_DUE_AT).order_by(bindings.c.id).limit(limit)
        return await self._many(query)

    async def taken(self, identities: Iterable[str], scope: str) -> set[str]:
        """Return which of these are lent or quarantined."""
        wanted = sorted(set(identities))
        found: set[str] = set()
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            found.update((await self._connection.execute(_TAKEN, {"of_scope": scope, "wanted": part})).scalars())
        return found

    async def add(self, binding: IdentityBinding, change: Change) -> IdentityBinding:
        """Insert a binding with its lent identities.

        Raises:
            IdentityTaken: its key has a live binding, or one of its identities a holder.
        """
        binding = await self._versioned(binding, binding.is_in_feed)
        result = await self._connection.execute(_ADD, to_row(binding))
        key = result.inserted_primary_key
        assert key is not None
        lent = (binding.identities.private_user_identity, *binding.identities.public_user_identities)
        rows = [{"identity": text, "scope": binding.scope, "binding_id": key[0]} for text in lent]
        await self._connection.execute(_ADD_LENT, rows)
        await self.audits.remember_users(binding.handle, binding.mc_service_ids)
        await self.audits.record(binding, change)
        return binding

    async def add_all(self, new: Sequence[IdentityBinding], change: Change) -> None:
        """Insert bindings that proxies see, a few statements for all of them.

        Raises:
            IdentityTaken: at the end of the savepoint, as ``add``.
        """
        self.changed_feed = True
        query = update(feed_version).values(v=feed_version.c.v + len(new)).returning(feed_version.c.v)
        first = (await self._connection.execute(query)).scalar_one() - len(new) + 1
        versioned = [replace(binding, version=first + at) for at, binding in enumerate(new)]
        await self.bulk.insert(versioned, change)

    async def save(self, old: IdentityBinding, new: IdentityBinding, change: Change) -> IdentityBinding:
        """Write ``new`` over ``old``; what the proxies see of it takes a new feed version."""
        new = await self._versioned(new, _seen_by_proxies(old) != _seen_by_proxies(new))
        await self._connection.execute(_OVERWRITE, {**to_row(new), "of_handle": new.handle})
        await self.audits.record(new, change)
        return new

    async def remove(self, binding: IdentityBinding, change: Change) -> None:
        """Delete a binding; its identities are free.  Whoever has not read its deletion must start the feed again."""
        await self._connection.execute(delete(bindings).where(bindings.c.handle == binding.handle))
        if binding.state is not BindingState.HELD:
            horizon = feed_version.c.horizon
            await self._connection.execute(
                update(feed_version).where(horizon < binding.version).values(horizon=binding.version)
            )
        await self.audits.record(binding, change)

    async def feed_position(self) -> tuple[int, int]:
        """Return the newest feed version and the horizon."""
        row = (await self._connection.execute(select(feed_version.c.v, feed_version.c.horizon))).one()
        return row.v, row.horizon

    async def find_changes(self, after: int, limit: int, *, served_only: bool) -> list[IdentityBinding]:
        """Return bindings that changed after version ``after``, in order, the held ones left out."""
        query = select(bindings).where(bindings.c.version > after).order_by(bindings.c.version).limit(limit)
        states = [state.value for state in SERVED]
        wanted = states if served_only else [*states, BindingState.QUARANTINED.value]
        return await self._many(query.where(bindings.c.state.in_(wanted)))

    async def find_feed_rows(self, after: int, limit: int, *, served_only: bool) -> list[FeedRow]:
        """Return what ``find_changes`` does as rows, many at a time."""
        return await find_feed_rows(self._connection, after, limit, served_only=served_only)

    async def begin_life(self, now: float) -> None:
        """Make the store this database's own; ``ended_life`` says whether it was in service as another one."""
        if await begin_life(self._connection, now):
            self.ended_life = self.changed_feed = True

    async def acknowledge(self, proxy: str, version: int, at: float) -> None:
        """Remember how far a proxy has applied the feed."""
        values = {"version": version, "at": at}
        done = await self._connection.execute(
            update(acknowledgements).where(acknowledgements.c.proxy == proxy).values(values)
        )
        if done.rowcount == 0:  # there is one writer at a time: nobody inserts it in between
            await self._connection.execute(insert(acknowledgements).values(proxy=proxy, **values))

    async def acknowledged(self) -> dict[str, int]:
        """Return the version that each proxy has acknowledged."""
        rows = await self._connection.execute(_ACKNOWLEDGED)
        return {row.proxy: row.version for row in rows}

    async def audit_trail(self, handle: str) -> list[Mapping[str, Any]]:
        """Return what happened to a binding, oldest first."""
        return await self.audits.find(AuditQuery(handle=handle))

    async def count_by_state(self) -> list[tuple[str, str, str, bool, int]]:
        """Return how many bindings there are by role, other MC system, state and whether they are enabled."""
        by = (bindings.c.role, bindings.c.other_mc_system, bindings.c.state, bindings.c.enabled)
        rows = await self._connection.execute(select(*by, func.count()).group_by(*by))
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    async def count(self) -> int:
        """Return how many bindings there are, quarantined ones included."""
        return (await self._connection.execute(select(func.count()).select_from(bindings))).scalar_one()

    async def _one(self, query: Any, values: Mapping[str, Any]) -> IdentityBinding | None:
        found = await self._many(query, values)
        return found[0] if found else None

    async def _many(self, query: Any, values: Mapping[str, Any] | None = None) -> list[IdentityBinding]:
        return [from_row(row) for row in (await self._connection.execute(query, values)).mappings()]

    async def _versioned(self, binding: IdentityBinding, takes_version: bool) -> IdentityBinding:
        if not takes_version:
            return binding
        self.changed_feed = True
        return replace(binding, version=(await self._connection.execute(_TAKE_VERSION)).scalar_one())


Renewed = IdentityBinding | None
Renew = Callable[[Transaction], Awaitable[Renewed]]


class BindingStore:
    """The database behind the migration management server."""

    def __init__(
        self,
        url: str,
        busy_timeout_s: float = 5.0,
        *,
        clock: Callable[[], float] = time.time,
        on_life_ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet; ``on_life_ended`` is called when this process has begun a new life of the store."""
        self._clock = clock
        self._on_life_ended = on_life_ended
        self._engine: AsyncEngine = create_store_engine(url, busy_timeout_s)
        self._renewals = renewals_engine(self._engine, busy_timeout_s)
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._look_up = LookUp(url) if is_sqlite else None
        self._renewal = Renewal(url) if is_sqlite else None
        self._busy_timeout_s = busy_timeout_s
        # One writer of this process at a time: the others wait here in turn, and hold no connection meanwhile.
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def writing(self, *, is_renewal: bool = False) -> AsyncIterator[Transaction]:
        """Yield a transaction that commits at the end, or leaves no trace; there is one at a time over all instances.

        Args:
            is_renewal: only for how much longer something holds; a loss of power may bring the earlier time back.

        Raises:
            IdentityTaken: a uniqueness constraint said no.
            NotStorable: a value cannot be stored.
            StoreUnavailable: the store said no.
        """
        with _translated():
            async with self._turn_taken(), self._transaction(is_renewal=is_renewal) as transaction:
                yield transaction
        self._after(transaction)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Yield a transaction that only reads one snapshot, and waits for no writer.

        Raises:
            NotStorable: a value asked for cannot be in a store.
            StoreUnavailable: the store said no.
        """
        with _translated():
            async with self._engine.connect() as connection:
                await connection.execution_options(**read_options(self._engine))
                async with connection.begin():
                    yield Transaction(connection)

    async def find_by_identity(self, identity: str) -> list[IdentityBinding]:
        """Return the bindings that lend this identity, as last committed; at once where the database allows it.

        Raises:
            NotStorable: the identity cannot be in a store.
            StoreUnavailable: the store said no.
        """
        with _translated():
            found = self._look_up.find_by_identity(identity) if self._look_up else None
        if found is not None:
            return found
        async with self.reading() as transaction:
            return await transaction.find_by_identity(identity)

    async def renew(self, old: IdentityBinding, until: float, change: Change, ordinarily: Renew) -> Renewed:
        """Let the registration of ``old`` hold until then, POSIX seconds: at once, else in a transaction, in one turn.

        Args:
            ordinarily: what is done in the transaction, and returns what this returns: what the binding is now, or
                None when more than a renewal has become of it.

        Raises:
            NotStorable, StoreUnavailable: as ``writing``.
        """
        with _translated():
            async with self._turn_taken():
                done = self._renewal.renew(old, until, change) if self._renewal is not None else None
                if done is not None:
                    return done
                async with self._transaction(is_renewal=True) as transaction:
                    done = await ordinarily(transaction)
        self._after(transaction)
        return done

    async def require_schema(self) -> None:
        """Make sure that the schema is the one of this program.

        Raises:
            SchemaOutdated: it is not; ``upgrade`` has not run, or a newer program has been here.
            StoreUnavailable: the store cannot be read.
        """
        async with self.reading() as transaction:
            found = await transaction._connection.run_sync(_schema_revision)
        if found is not None and found > HEAD:
            raise SchemaOutdated(f"schema {found}, wanted {HEAD}: a newer version was here; run that one's `downgrade`")
        if found != HEAD:
            raise SchemaOutdated(f"schema {found or 'none'}, wanted {HEAD}: run `mmserver migration upgrade`")

    async def touch(self) -> None:
        """Commit a write that changes nothing.

        Raises:
            StoreUnavailable: the store takes no write now.
        """
        async with self.writing() as transaction:
            for step in (1, -1):  # SQLite writes no page for a row that is overwritten with itself
                await transaction._connection.execute(update(feed_version).values(v=feed_version.c.v + step))

    async def begin_life(self) -> bool:
        """Make the store this database's own; return whether it was restored, or taken over, since it last ran.

        Raises:
            StoreUnavailable: the store said no.
        """
        async with self.reading() as transaction:
            if await is_own_life(transaction._connection):
                return False
        async with self.writing() as transaction:
            await transaction.begin_life(self._clock())  # on PostgreSQL ``writing`` has done it
        return transaction.ended_life

    async def listen_for_ever(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` when another instance has committed something for the feed, until cancelled.

        With each new connection the store is looked at: it may be a stand-by's that took over, and nobody may write.
        """
        if self._engine.dialect.name != "postgresql":
            return

        async def on_connected() -> None:
            try:
                await self.begin_life()
            except StoreUnavailable as exc:  # it went again; the connection of the listener ends as well
                log.warning("store.unavailable", reason=str(exc))
            on_change()

        await listen_for_ever(listening_arguments(self._engine), on_connected, on_change)

    async def close(self) -> None:
        """Close all connections."""
        for plain in (self._look_up, self._renewal):
            if plain is not None:
                plain.close()
        await self._renewals.dispose()
        await self._engine.dispose()

    @asynccontextmanager
    async def _turn_taken(self) -> AsyncIterator[None]:
        """Be this process's writer, for as long as the context lasts."""
        try:
            async with asyncio.timeout(self._busy_timeout_s):
                await self._turn.acquire()
        except TimeoutError as exc:
            raise StoreUnavailable(f"busy: no turn to write within {self._busy_timeout_s:g} s") from exc
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _transaction(self, *, is_renewal: bool) -> AsyncIterator[Transaction]:
        async with (self._renewals if is_renewal else self._engine).begin() as connection:
            transaction = Transaction(connection)
            if not await begin_writing(connection, is_renewal=is_renewal):
                await transaction.begin_life(self._clock())
            yield transaction
            if transaction.changed_feed and connection.dialect.name == "postgresql":
                await connection.exec_driver_sql(WAKE)

    def _after(self, transaction: Transaction) -> None:
        if transaction.ended_life:
            self._on_life_ended()


class _translated:  # noqa: N801 - a context manager, read as a function
    """Turns errors of the database into ours."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> None:
        if isinstance(exc, IntegrityError):
            raise IdentityTaken(str(exc.orig)) from exc
        if isinstance(exc, DataError):
            raise NotStorable(str(exc.orig).partition("\n")[0]) from exc
        if isinstance(exc, SQLAlchemyError | sqlite3.Error | OSError):
            raise StoreUnavailable(str(getattr(exc, "orig", None) or exc)) from exc


def _schema_revision(connection: Any) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _seen_by_proxies(binding: IdentityBinding) -> tuple[object, ...]:
    if not binding.is_in_feed:
        return (False,)
    return (True, binding.enabled, binding.releasing, binding.valid_until, binding.provisioned)
