"""What the HSS must not forget: sequence numbers and registrations, in one SQLite file.

``transaction`` brackets one Cx request: what it changed is on the disk (synchronous=FULL) before its answer leaves, so
neither a restart nor kill -9 nor a power cut repeats an SQN.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lab.systems.hss.errors import StoreError
from lab.systems.hss.registration import CLEARED, Registration, ServingSystem, State

SERVING_SYSTEMS_MAX: Final = 32
"""One per IND of 5 bits (TS 33.102 Annex C.3)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sequence_numbers (
    subscriber TEXT PRIMARY KEY, sqn_he INTEGER NOT NULL CHECK (sqn_he BETWEEN 0 AND 281474976710655)) STRICT;
CREATE TABLE IF NOT EXISTS serving_systems (
    subscriber TEXT NOT NULL, name TEXT NOT NULL, ind INTEGER NOT NULL CHECK (ind BETWEEN 0 AND 31),
    used INTEGER NOT NULL, PRIMARY KEY (subscriber, name), UNIQUE (subscriber, ind)) STRICT;
CREATE TABLE IF NOT EXISTS registrations (
    private_user_identity TEXT PRIMARY KEY, state TEXT NOT NULL, server_name TEXT, origin_host TEXT, origin_realm TEXT,
    auth_pending INTEGER NOT NULL) STRICT;
"""


class Store:
    """The state file; one process has it open."""

    def __init__(self, path: Path | str) -> None:
        """Open or make it.

        Raises:
            StoreError: it is not a state file, or cannot be written.
        """
        with _ours():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=wal")
            self._db.execute("PRAGMA synchronous=full")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything inside, or, after an exception, nothing.

        Raises:
            StoreError: the file cannot be written.
        """
        with _ours():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _ours():
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            raise

    def sqn_he(self, subscriber: str) -> int:
        """Return the highest SQN ever taken for ``subscriber``, 0 for a new one."""
        row = self._row("SELECT sqn_he FROM sequence_numbers WHERE subscriber = ?", subscriber)
        return 0 if row is None else int(row[0])

    def put_sqn_he(self, subscriber: str, sqn_he: int) -> None:
        """Note the highest SQN taken."""
        self._do("INSERT OR REPLACE INTO sequence_numbers VALUES (?, ?)", subscriber, sqn_he)

    def ind_of(self, subscriber: str, serving_system: str, sqn_he: int) -> int:
        """Return the IND of a serving system: its own while one is free, else that of the one unused for longest."""
        row = self._row(
            "UPDATE serving_systems SET used = ? WHERE subscriber = ? AND name = ? RETURNING ind",
            sqn_he,
            subscriber,
            serving_system,
        )
        if row is not None:
            return int(row[0])
        (count,) = self._row("SELECT count(*) FROM serving_systems WHERE subscriber = ?", subscriber) or (0,)
        ind = int(count) if count < SERVING_SYSTEMS_MAX else self._freed_ind(subscriber)
        self._do("INSERT INTO serving_systems VALUES (?, ?, ?, ?)", subscriber, serving_system, ind, sqn_he)
        return ind

    def registration(self, private_user_identity: str) -> Registration:
        """Return the state of a set; a set never heard of is not registered."""
        row = self._row(
            "SELECT state, server_name, origin_host, origin_realm, auth_pending FROM registrations"
            " WHERE private_user_identity = ?",
            private_user_identity,
        )
        if row is None:
            return CLEARED
        serving = None if row[1] is None else ServingSystem(row[1], row[2], row[3])
        return Registration(State(row[0]), serving, bool(row[4]))

    def put_registration(self, private_user_identity: str, registration: Registration) -> None:
        """Note the state of a set."""
        serving = registration.serving
        where = (None,) * 3 if serving is None else (serving.server_name, serving.origin_host, serving.origin_realm)
        self._do(
            "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?, ?)",
            private_user_identity,
            registration.state.value,
            *where,
            int(registration.auth_pending),
        )

    def forget_registrations(self) -> None:
        """Make every set not registered; sequence numbers stay."""
        self._do("DELETE FROM registrations")

    def _freed_ind(self, subscriber: str) -> int:
        row = self._row(
            "DELETE FROM serving_systems WHERE subscriber = ? AND ind = (SELECT ind FROM serving_systems"
            " WHERE subscriber = ? ORDER BY used, ind LIMIT 1) RETURNING ind",
            subscriber,
            subscriber,
        )
        assert row is not None
        return int(row[0])

    def _row(self, sql: str, *values: str | int) -> tuple[Any, ...] | None:
        with _ours():
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return row

    def _do(self, sql: str, *values: str | int | None) -> None:
        with _ours():
            self._db.execute(sql, values)


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise StoreError(f"state file: {exc}") from exc
