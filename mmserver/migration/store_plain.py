"""SQLite asked without SQLAlchemy's transactions and result sets, which take ten times as long as the statement.

SQLAlchemy writes each statement, once, and says what its columns mean; this is what ``store_look_up`` and
``store_renewal`` share.  A connection is of the one thread that made it, and waits for nobody.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.elements import ClauseElement

from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.schema import bindings
from mmserver.migration.store_rows import from_row

WAIT_S: Final = 0.0  # what cannot be had at once (a writer, a recovery, a restore) is asked for the ordinary way
REMEMBERED: Final = 1024
"""Rows that are known by heart: a user who registers is looked up three times within some milliseconds."""

_DIALECT: Final = SQLiteDialect_pysqlite(paramstyle="named")
_COLUMNS: Final = [(column.name, column.type.result_processor(_DIALECT, None)) for column in bindings.c]
"""The columns by name, each with what makes a value of ours of SQLite's, if that is another (a truth value)."""


class PlainConnection:
    """One connection to a SQLite database, opened when it is first asked for."""

    def __init__(self, url: str, *pragmas: str) -> None:
        """Keep what to open, and the PRAGMAs to begin with; nothing is opened yet."""
        self._where, self._how = _DIALECT.create_connect_args(sqlalchemy.make_url(url))
        self._pragmas = pragmas
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def get(self) -> sqlite3.Connection:
        """Return the connection, in which every statement is a transaction unless BEGIN is said.

        Raises:
            sqlite3.Error: it cannot be opened, or is closed.
        """
        if self._connection is None:
            self._connection = self._opened()
        return self._connection

    def close(self) -> None:
        """Close the connection, for good: who still waits for something does not open it anew."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._is_closed:
            raise sqlite3.OperationalError("closed")
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        connection = connect(*self._where, **self._how, timeout=WAIT_S, isolation_level=None)
        try:
            for pragma in self._pragmas:
                connection.execute("pragma " + pragma).close()
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def written(statement: ClauseElement, columns: Iterable[str] | None = None) -> str:
    """Return a statement as SQLite takes it, its values by name; ``columns``: those that it writes."""
    return str(statement.compile(dialect=_DIALECT, column_keys=None if columns is None else list(columns)))


@lru_cache(REMEMBERED)
def to_binding(row: tuple[Any, ...]) -> IdentityBinding:
    """Return the binding of a row of the whole table, as SQLite gives it."""
    return from_row(
        {name: value if made is None else made(value) for (name, made), value in zip(_COLUMNS, row, strict=True)}
    )
