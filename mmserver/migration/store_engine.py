"""Database engines as the store needs them: one writer at a time, durable, bounded waits, on SQLite and PostgreSQL.

SQLite: every writing transaction begins with BEGIN IMMEDIATE; without it concurrent read-then-write transactions lose
updates without an error.  PostgreSQL: it begins by locking the one row of ``feed_version``, and each later statement
sees what was committed before that.  So nothing fails for the sake of another writer once a transaction has begun, and
versions become visible in their own order.  Readers wait for nobody and see one snapshot.  How a connection is made is
in ``mmserver.http.postgresql``.
"""

from typing import Any, Final

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mmserver.http.postgresql import connection_arguments
from mmserver.http.store_writers import READ_ONLY, serialise_writers
from mmserver.migration.store_life import POSTGRESQL_HERE
from mmserver.migration.store_sqlite import in_place

POOL_WAIT_S: Final = 5.0
LOCK_WRITER: Final = f"SELECT life = ({POSTGRESQL_HERE}) FROM feed_version FOR NO KEY UPDATE"  # noqa: S608  # constants
NO_WAIT_FOR_DISK: Final = "SET LOCAL synchronous_commit TO off"


def create_store_engine(url: str, busy_timeout_s: float) -> AsyncEngine:
    """Return an asynchronous engine for ``url``; a writer waits ``busy_timeout_s`` for another at most."""
    if sqlalchemy.make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(in_place(url), pool_timeout=POOL_WAIT_S)
        serialise_writers(engine.sync_engine, busy_timeout_s)
        return engine
    return create_async_engine(
        url,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after the database was away no request pays for its return
        pool_use_lifo=True,
        isolation_level="READ COMMITTED",
        connect_args=connection_arguments(sqlalchemy.make_url(url).query, busy_timeout_s),
    )


def renewals_engine(engine: AsyncEngine, busy_timeout_s: float) -> AsyncEngine:
    """Return the engine of renewals: on SQLite one that does not wait for the disk, else ``engine`` itself.

    With synchronous=normal the write-ahead log stays whole, and the next durable commit makes all before it durable.
    """
    if engine.dialect.name != "sqlite":
        return engine
    renewals = create_async_engine(engine.url, pool_timeout=POOL_WAIT_S)
    serialise_writers(renewals.sync_engine, busy_timeout_s, synchronous="normal")
    return renewals


def listening_arguments(engine: AsyncEngine) -> dict[str, Any]:
    """Return psycopg's parameters for a connection of its own to the PostgreSQL of ``engine``, whichever host it is."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return {**connection_arguments(engine.url.query), **arguments}


async def begin_writing(connection: AsyncConnection, *, is_renewal: bool = False) -> bool:
    """Become the one writer; SQLite did it with BEGIN IMMEDIATE.

    Returns:
        Whether the store is in the life in which it was last in service.  PostgreSQL is asked each time, by the
        statement that takes the lock: a stand-by may take over between any two transactions.
    """
    if connection.dialect.name != "postgresql":
        return True
    if is_renewal:
        await connection.exec_driver_sql(NO_WAIT_FOR_DISK)
    return bool((await connection.exec_driver_sql(LOCK_WRITER)).scalar_one())


def read_options(engine: AsyncEngine) -> dict[str, Any]:
    """Return the execution options of a transaction that only reads, in one snapshot."""
    if engine.dialect.name == "sqlite":
        return READ_ONLY
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
