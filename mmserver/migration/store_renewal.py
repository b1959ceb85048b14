"""A registration renewed on SQLite, on a connection of its own and without a thread.

An SAR that changes nothing but until when a set is registered comes with every registration of a user who is here
already.  By the driver of ``store`` its transaction takes some 1.5 ms of processor time; here it is five statements of
some tens of microseconds each, made where the request is answered.  It waits neither for another writer nor for the
disk: with synchronous=normal a loss of power may bring the earlier time back, without the audit row, and that is all
(``store_engine``).

What only the disk ends is left to the ordinary way, which waits in a thread.  That is to carry the log into the
database: this connection never does (wal_autocheckpoint=0), and each ``ORDINARY_EACH``-th renewal goes the ordinary
way, whose commit does.  And it is the first write after that, by whomever: SQLite begins the log anew and has its head
on the disk before it goes on.  Nothing but this writes to the database's file, so that its time of change tells.
"""

import sqlite3
from dataclasses import replace
from pathlib import Path
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
        self._file: Path | None = None
        self._carried_ns = 0
        self._asked = 0

    def renew(self, old: IdentityBinding, until: float, change: Change) -> IdentityBinding | None:
        """Let the registration of ``old`` hold until then, POSIX seconds; with its audit row, and committed.

        Returns:
            What it is now.  None, and nothing written, where ``old`` is not what is stored, or not registered,
            somebody else writes, or it is the ordinary way's turn, as at first.

        Raises:
            sqlite3.Error: the store is none of ours, or damaged.
        """
        if old.registration is None:
            return None
        new = replace(old, registration=replace(old.registration, until=until))
        try:
            connection = self._connection.get()
            return new if not self._is_ordinary_turn(connection) and _write(connection, old, new, change) else None
        except sqlite3.OperationalError:  # busy, full, read-only: the ordinary way waits, or says what is wrong
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _is_ordinary_turn(self, connection: sqlite3.Connection) -> bool:
        """Say whether the disk would be waited for, or the log would never be carried into the database."""
        if self._file is None:
            self._file = Path(connection.execute("pragma database_list").fetchone()[2])
        before, self._carried_ns = self._carried_ns, self._file.stat().st_mtime_ns
        self._asked += 1
        return before != self._carried_ns or self._asked % ORDINARY_EACH == 0


def _write(connection: sqlite3.Connection, old: IdentityBinding, new: IdentityBinding, change: Change) -> bool:
    """Write ``new`` if ``old`` is still what is stored; say whether it was."""
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
