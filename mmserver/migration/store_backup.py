"""Backup and restore of an SQLite store; PostgreSQL has pg_dump and pg_restore (docs/operations.md).

A backup is whole and compact, made while the server runs, and says of itself that it is one: a server that starts on
what came of it begins a new life of the feed (``store_life``).
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy

from mmserver.migration.errors import SchemaOutdated, StoreUnavailable
from mmserver.migration.schema import HEAD
from mmserver.migration.store_life import BACKUP

ALONE_WITHIN_S = 0.5
MARK = "UPDATE feed_version SET life = ?"


class NotSqlite(Exception):
    """The store is not a file: its own tools back it up."""


def back_up(url: str, target: Path) -> int:
    """Write the store at ``url`` to a new file, for its owner's eyes only; return its octets.

    Raises:
        NotSqlite: it lies in PostgreSQL.
        StoreUnavailable: it cannot be read, or the file is there already or cannot be written; none is left half.
    """
    source = _file_of(url)
    if target.exists():
        raise StoreUnavailable(f"{target} is there already")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        _mark(part)
        part.rename(target)
    except (sqlite3.Error, OSError) as exc:
        part.unlink(missing_ok=True)
        raise StoreUnavailable(f"{source} to {target}: {exc}") from exc
    return target.stat().st_size


def restore(url: str, backup: Path) -> str:
    """Put a backup in the place of the store at ``url``, all of it or nothing; return its schema.

    Raises:
        NotSqlite: the store lies in PostgreSQL.
        SchemaOutdated: the backup is of a newer version.
        StoreUnavailable: it is no whole store, or the store's place cannot be written, or a server has it open: that
            one would go on in the middle of a life of the feed that is over.
    """
    target = _file_of(url)
    try:
        with closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as source:
            schema = _checked(source, backup)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.touch(mode=0o600)
            with closing(sqlite3.connect(target, timeout=ALONE_WITHIN_S)) as connection:
                _require_alone(connection, target)
                source.backup(connection)
        _mark(target)
    except (sqlite3.Error, OSError) as exc:
        raise StoreUnavailable(f"{backup} to {target}: {exc}") from exc
    return schema


def require_alone(url: str) -> None:
    """See that no server has the SQLite store at ``url`` open; of PostgreSQL nothing is known here.

    Raises:
        StoreUnavailable: one has, or it is no store.
    """
    try:
        target = _file_of(url)
    except NotSqlite:
        return
    if target.exists():
        with closing(sqlite3.connect(target, timeout=ALONE_WITHIN_S)) as connection:
            _require_alone(connection, target)


def _file_of(url: str) -> Path:
    address = sqlalchemy.make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise NotSqlite("the store lies in PostgreSQL")
    return Path(address.database)


def _checked(source: sqlite3.Connection, backup: Path) -> str:
    (found,) = source.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise StoreUnavailable(f"{backup}: {found}")
    (schema,) = source.execute("SELECT version_num FROM alembic_version").fetchone()
    if schema > HEAD:
        raise SchemaOutdated(f"{backup}: schema {schema}, this version knows schemas up to {HEAD}")
    return str(schema)


def _require_alone(connection: sqlite3.Connection, target: Path) -> None:
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as exc:
        mend = "is open: stop the server" if exc.sqlite_errorcode == sqlite3.SQLITE_BUSY else f"{exc}: move it away"
        raise StoreUnavailable(f"{target} {mend} first") from exc


def _mark(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(feed_version)")]
        if "life" in columns:
            connection.execute(MARK, (BACKUP,))
        connection.commit()
