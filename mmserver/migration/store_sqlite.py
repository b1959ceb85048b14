"""SQLite for SQLAlchemy's asyncio engine without a thread for each statement: only what may wait goes to one.

A statement of ours takes some tens of microseconds, a visit to another thread and back several times as much, and an
asynchronous driver makes four for each.  So statements are carried out where they are asked for; what waits for the
disk (COMMIT), for another process (BEGIN IMMEDIATE, when it does not come at once) or reads much goes to a thread.
It knows no table and decides nothing.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util import await_only

DRIVER: Final = "sqlite+inplace"
STEPS_MAX: Final = 100_000
"""Instructions of SQLite's machine that a query may take in the event loop's thread: some milliseconds."""
FEW: Final = 16
"""So many rows are written at once in the event loop's thread; more of them in another."""
_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"

T = TypeVar("T")


def in_place(url: str) -> URL:
    """Return the URL of the same SQLite database for this driver."""
    return make_url(url).set(drivername=DRIVER)


class Dialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite over connections that wait in a thread."""

    driver = "inplace"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        """Return a pool whose wait for a connection is a task's."""
        return AsyncAdaptedQueuePool

    def connect(self, *arguments: Any, **settings: Any) -> Any:
        """Open a connection that begins no transaction by itself."""
        own = {"factory": Connection, "check_same_thread": False, "isolation_level": None}
        return sqlite3.connect(*arguments, **(settings | own))


class Connection(sqlite3.Connection):
    """One connection, used by one task at a time, inside SQLAlchemy's ``greenlet_spawn``."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._is_writing = False
        hurry = self._hurry = [False]  # not self: a cycle through C would keep the file open
        self.set_progress_handler(lambda: hurry[0], STEPS_MAX)

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor of ours."""
        return Cursor(self)

    def commit(self) -> None:
        """Commit; what was written waits for the disk in a thread."""
        if self._is_writing:
            in_thread(super().commit)
            self._is_writing = False
        else:
            super().commit()

    def rollback(self) -> None:
        """Undo; nothing waits."""
        self._is_writing = False
        super().rollback()

    def begin_writing(self) -> None:
        """Become the one writer, at once if nobody else is, else in a thread until the busy timeout is over."""
        if not self._began_at_once():
            in_thread(lambda: sqlite3.Connection.execute(self, _BEGIN_WRITING))
        self._is_writing = True

    def _began_at_once(self) -> bool:
        (timeout_ms,) = super().execute("PRAGMA busy_timeout").fetchone()
        super().execute("PRAGMA busy_timeout=0")
        try:
            super().execute(_BEGIN_WRITING)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        finally:
            super().execute(f"PRAGMA busy_timeout={timeout_ms}")
        return True

    def at_once(self, query: Callable[[], T]) -> T | None:
        """Return what a query yields, or None if it takes more than ``STEPS_MAX``: it changed nothing then."""
        self._hurry[0] = True
        try:
            return query()
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return None
        finally:
            self._hurry[0] = False


class Cursor(sqlite3.Cursor):
    """A cursor that has all rows of its statement as soon as that is carried out."""

    connection: Connection

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._rows: list[Any] = []
        self._next = 0

    def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        """Carry a statement out."""
        self._next = 0
        await_only(_nothing())
        if sql == _BEGIN_WRITING:
            self._rows = []
            self.connection.begin_writing()
        elif sql.startswith(("SELECT", "WITH")):
            rows = self.connection.at_once(lambda: self._carry_out(sql, parameters))
            self._rows = in_thread(lambda: self._carry_out(sql, parameters)) if rows is None else rows
        else:
            self._rows = self._carry_out(sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "Cursor":
        """Carry a statement out for each of many rows."""
        self._rows, self._next = [], 0
        await_only(_nothing())
        every = list(parameters)
        if len(every) > FEW:
            in_thread(lambda: sqlite3.Cursor.executemany(self, sql, every))
        else:
            super().executemany(sql, every)
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(self, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows, ``size`` at most."""
        first, self._next = self._next, min(self._next + (size or self.arraysize), len(self._rows))
        return self._rows[first : self._next]

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return self.fetchmany(len(self._rows) or 1)

    def __next__(self) -> Any:
        """Return the next row."""
        if self._next >= len(self._rows):
            raise StopIteration
        self._next += 1
        return self._rows[self._next - 1]

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []
        super().close()

    async def _async_soft_close(self) -> None:
        """Keep the rows: SQLAlchemy asks each asynchronous cursor so, once it has a result."""

    def _carry_out(self, sql: str, parameters: Any) -> list[Any]:
        super().execute(sql, parameters)
        return super().fetchall() if self.description else []


def in_thread(call: Callable[[], T]) -> T:
    """Return what ``call`` returns, made in another thread while the loop goes on; a cancellation waits for its end.

    SQLite would have whoever undoes the transaction wait for it, and the whole loop with him.
    """
    result: T = await_only(_made_in_thread(call))
    return result


async def _nothing() -> None:
    """Be what SQLAlchemy wants to have awaited in each statement of an asynchronous engine."""


async def _made_in_thread(call: Callable[[], T]) -> T:
    made = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(made)
    except asyncio.CancelledError:
        while not made.done():
            await asyncio.wait([made])
        raise


registry.register(DRIVER.replace("+", "."), __name__, "Dialect")
