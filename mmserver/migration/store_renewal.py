"""A registration renewed on SQLite, on a connection of its own and without a thread.

An SAR that changes nothing but until when a set is registered comes with every registration of a user who is here
already.  By the driver of ``store`` its transaction takes some 1.5 ms of processor time; here it is four statements of
some tens of microseconds each, made where the request is answered.  It waits neither for another writer nor for the
disk: with synchronous=normal a loss of power may bring the earlier time back, and nothing else (``store_engine``).

What only the disk ends is left to the ordinary way: the log is not carried into the database by this connection
(wal_autocheckpoint=0), and each ``ORDINARY_EACH``-th renewal goes the ordinary way, whose commit does so in a thread.
"""

import sqlite3
from dataclasses import replace
from typing import Final

from sqlalchemy import bindparam, insert, select, update

from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.schema import audit, bindings
from mmserver.migration.store_audit import Change, audit_row
from mmserver.migration.store_plain import PlainConnection, to_binding, written

ORDINARY_EACH: Final = 100

_OF_HANDLE: Final = written(select(bindings).where(bindings.c.handle == bindparam("of_handle")))
_RENEW: Final = written(
    update(bindings).where(bindings.c.handle == bindparam("of_handle")), ["registered_until", "due_at"]
)
_RECORD: Final = written(insert(audit), [column.name for column in audit.c if column.name != "id"])


class Renewal:
    """One writing connection, opened at the first renewal, used by the one thread that made it."""

    def __init__(self, url: str) -> None:
        """Renew in the SQLite database that ``url`` names; nothing is opened yet."""
        self._connection = PlainConnection(url, "journal_mode=wal", "synchronous=normal", "wal_autocheckpoint=0")
        self._asked = 0

    def renew(self, old: IdentityBinding, until: float, change: Change) -> IdentityBinding | None:
        """Let the registration of ``old`` hold until then, POSIX seconds; with its audit row, and committed.

        Returns:
            What it is now.  None, and nothing written, where ``old`` is not what is stored, or not registered,
            somebody else writes, or it is the ordinary way's turn.

        Raises:
            sqlite3.Error: the store is none of ours, or damaged.
        """
        self._asked += 1
        if old.registration is None or self._asked % ORDINARY_EACH == 0:
            return None
        new = replace(old, registration=replace(old.registration, until=until))
        try:
            return new if _is_written(self._connection.get(), old, new, change) else None
        except sqlite3.OperationalError:  # busy, full, read-only: the ordinary way waits, or says what is wrong
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _is_written(connection: sqlite3.Connection, old: IdentityBinding, new: IdentityBinding, change: Change) -> bool:
    assert new.registration is not None
    values = {"registered_until": new.registration.until, "due_at": new.due_at, "of_handle": new.handle}
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(_OF_HANDLE, values).fetchone()
        if row is None or to_binding(row) != old:
            return False
        connection.execute(_RENEW, values)
        connection.execute(_RECORD, audit_row(new, change))
        connection.execute("COMMIT")
        return True
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
