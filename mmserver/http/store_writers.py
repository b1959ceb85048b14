"""SQLite's writers one after another: what the stores of both servers and their ``upgrade`` have in common.

Without SQLAlchemy's asyncio part, which costs a tenth of the start of ``upgrade`` and is of no use to it.
"""

import contextlib
import sqlite3
from typing import Any, Final

import sqlalchemy
from sqlalchemy import event

READ_ONLY: Final = {"read_only": True}


def serialise_writers(engine: sqlalchemy.Engine, busy_timeout_s: float, *, synchronous: str = "full") -> None:
    """Make every transaction of this SQLite engine BEGIN IMMEDIATE, unless it is marked read-only."""
    pragmas = (
        "journal_mode=wal",
        f"synchronous={synchronous}",
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

    @event.listens_for(engine, "invalidate")
    def _on_invalidate(dbapi: Any, _record: Any, _exc: BaseException | None) -> None:
        # A task cancelled at a statement leaves its cursor open, and SQLite closes no connection before its cursors:
        # the lock would stay with it.
        with contextlib.suppress(sqlite3.Error):
            dbapi.rollback()
