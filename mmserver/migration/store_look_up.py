"""The look-up of one identity on SQLite, on a connection of its own and without a thread.

A UAR, LIR or look-up of a proxy asks for one identity, three times for each registration at the partner.  By the
driver of ``store`` that is a transaction of some eighteen visits to another thread; here it is one indexed query of
some tens of microseconds, made where the request is answered.  SQLAlchemy writes the statement, once, and says what its
columns mean; SQLite is asked without it, for its result sets take ten times as long as the query.  It cannot wait for a
writer: under the write-ahead log a reader sees what was committed last.  It writes nothing, and answers nothing but
this.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.store_rows import LENDERS, from_row

WAIT_S: Final = 0.0  # who cannot be read at once (a recovery, a restore) is asked the ordinary way

_DIALECT: Final = SQLiteDialect_pysqlite(paramstyle="named")
_STATEMENT: Final = str(LENDERS.compile(dialect=_DIALECT))
_COLUMNS: Final = [(column.name, column.type.result_processor(_DIALECT, None)) for column in LENDERS.selected_columns]
"""The columns by name, each with what makes a value of ours of SQLite's, if that is another (a truth value)."""


class LookUp:
    """One read-only connection, opened at the first look-up, used by the one thread that made it."""

    def __init__(self, url: str) -> None:
        """Look up in the SQLite database that ``url`` names; nothing is opened yet."""
        self._where, self._how = _DIALECT.create_connect_args(sqlalchemy.make_url(url))
        self._connection: sqlite3.Connection | None = None

    def find_by_identity(self, identity: str) -> list[IdentityBinding] | None:
        """Return the bindings that lend this identity, as last committed; None when that cannot be said at once.

        Raises:
            sqlite3.Error: the store is none of ours, or damaged.
        """
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._opened()
            return [_binding(row) for row in connection.execute(_STATEMENT, {"wanted": identity})]
        except sqlite3.OperationalError:
            return None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        connection = connect(*self._where, **self._how, timeout=WAIT_S, isolation_level=None)  # a query, a snapshot
        connection.execute("pragma query_only=on").close()
        return connection


def _binding(row: tuple[Any, ...]) -> IdentityBinding:
    return from_row(
        {name: value if made is None else made(value) for (name, made), value in zip(_COLUMNS, row, strict=True)}
    )
