"""Database engines as the store needs them: SQLite with one writer at a time, durable, and errors of ours.

Without BEGIN IMMEDIATE concurrent read-then-write transactions on SQLite lose updates without an error.
"""

from typing import Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

READ_ONLY: Final = {"read_only": True}
POOL_WAIT_S: Final = 5.0


def create_store_engine(url: str, busy_timeout_s: float) -> AsyncEngine:
    """Return an asynchronous engine for ``url``; a writer waits ``busy_timeout_s`` for another at most."""
    engine = create_async_engine(url, pool_timeout=POOL_WAIT_S)
    if engine.dialect.name == "sqlite":
        serialise_writers(engine.sync_engine, busy_timeout_s)
    return engine


def serialise_writers(engine: sqlalchemy.Engine, busy_timeout_s: float) -> None:
    """Make every transaction of this SQLite engine BEGIN IMMEDIATE, unless it is marked read-only."""
    pragmas = (
        "journal_mode=wal",
        "synchronous=full",
        "foreign_keys=on",
        f"busy_timeout={int(busy_timeout_s * 1000)}",
    )

    @event.listens_for(engine, "connect")
    def _on_connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # we write BEGIN ourselves
        cursor = dbapi.cursor()
        for pragma in pragmas:
            cursor.execute("pragma " + pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sqlalchemy.Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
