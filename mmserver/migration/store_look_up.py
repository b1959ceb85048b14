"""The look-up of one identity on SQLite, on a connection of its own and without a thread.

A UAR, LIR or look-up of a proxy asks for one identity, three times for each registration at the partner.  By the
driver of ``store`` that is a transaction of some eighteen visits to another thread; here it is one indexed query of
some tens of microseconds, made where the request is answered.  It cannot wait for a writer: under the write-ahead log
a reader sees what was committed last.  It writes nothing, and answers nothing but this.
"""

import sqlite3
from typing import Final

from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.store_plain import PlainConnection, to_binding, written
from mmserver.migration.store_rows import LENDERS

_STATEMENT: Final = written(LENDERS)


class LookUp:
    """One read-only connection, opened at the first look-up, used by the one thread that made it."""

    def __init__(self, url: str) -> None:
        """Look up in the SQLite database that ``url`` names; nothing is opened yet."""
        self._connection = PlainConnection(url, "query_only=on")

    def find_by_identity(self, identity: str) -> list[IdentityBinding] | None:
        """Return the bindings that lend this identity, as last committed; None when that cannot be said at once.

        Raises:
            sqlite3.Error: the store is none of ours, or damaged.
        """
        try:
            rows = self._connection.get().execute(_STATEMENT, {"wanted": identity})
            return [to_binding(row) for row in rows]
        except sqlite3.OperationalError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
