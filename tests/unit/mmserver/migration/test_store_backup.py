"""A backup is whole, private and says that it is one; a restore takes all of it or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mmserver.migration.errors import SchemaOutdated, StoreUnavailable
from mmserver.migration.schema import HEAD
from mmserver.migration.store_backup import NotSqlite, back_up, require_alone, restore
from mmserver.migration.store_life import BACKUP


def handles(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT handle FROM bindings ORDER BY handle")]


async def test_a_backup_holds_what_was_committed_and_a_restore_brings_it_back(mms: Any, tmp_path: Path) -> None:
    url, target = mms.config.store.url, tmp_path / "backup.sqlite"
    kept = await mms.allocated("a")
    async with mms.store.writing() as transaction:  # the server is in the middle of something
        await transaction.acknowledge("proxy1.mc2.lab", 1, 1.0)
        octets = back_up(url, target)
    assert (octets, target.stat().st_mode & 0o777) == (target.stat().st_size, 0o600)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT life FROM feed_version").fetchall() == [(BACKUP,)]
        assert connection.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)
    await mms.allocated("b")
    await mms.store.close()
    assert restore(url, target) == HEAD
    assert handles(tmp_path / "mms.sqlite") == [kept.handle]
    assert await mms.store.begin_life()


async def test_a_store_that_a_server_has_open_is_not_restored_under_it(mms: Any, tmp_path: Path) -> None:
    """It would tell its proxies of changes after a version that never was."""
    back_up(mms.config.store.url, tmp_path / "backup.sqlite")
    kept = await mms.allocated("a")
    with pytest.raises(StoreUnavailable, match="is open: stop the server first"):
        require_alone(mms.config.store.url)  # nor is its schema taken back
    with pytest.raises(StoreUnavailable, match="is open: stop the server first"):
        restore(mms.config.store.url, tmp_path / "backup.sqlite")
    assert (await mms.server.get(kept.handle)).handle == kept.handle


def test_who_restores_over_what_is_no_database_is_told_what_to_do(make_config: Any, tmp_path: Path) -> None:
    url = make_config().store.url
    back_up(url, tmp_path / "b.sqlite")
    (tmp_path / "mms.sqlite").write_bytes(b"no store at all" * 1000)
    with pytest.raises(StoreUnavailable, match="not a database: move it away first"):
        restore(url, tmp_path / "b.sqlite")
    (tmp_path / "mms.sqlite").rename(tmp_path / "away")
    assert restore(url, tmp_path / "b.sqlite") == HEAD


async def test_a_store_that_is_restored_to_a_new_place_is_private_too(mms: Any, tmp_path: Path) -> None:
    back_up(mms.config.store.url, tmp_path / "backup.sqlite")
    assert (tmp_path / "mms.sqlite").stat().st_mode & 0o077 == 0
    restore(f"sqlite+aiosqlite:///{tmp_path}/new/place.sqlite", tmp_path / "backup.sqlite")
    assert (tmp_path / "new" / "place.sqlite").stat().st_mode & 0o077 == 0


def test_nothing_is_overwritten_and_nothing_is_left_half(make_config: Any, tmp_path: Path) -> None:
    url = make_config().store.url
    (tmp_path / "there").write_text("precious")
    with pytest.raises(StoreUnavailable, match="is there already"):
        back_up(url, tmp_path / "there")
    with pytest.raises(StoreUnavailable):
        back_up(url, tmp_path / "no" / "folder")
    (tmp_path / "mms.sqlite").write_bytes(b"no store at all" * 100)
    with pytest.raises(StoreUnavailable):
        back_up(url, tmp_path / "b.sqlite")
    assert (tmp_path / "there").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("b.")] == []


def test_what_is_no_whole_store_is_not_restored(make_config: Any, tmp_path: Path) -> None:
    url = make_config().store.url
    back_up(url, tmp_path / "b.sqlite")
    before = (tmp_path / "mms.sqlite").read_bytes()
    with closing(sqlite3.connect(tmp_path / "b.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(SchemaOutdated, match="9999"):
        restore(url, tmp_path / "b.sqlite")
    (tmp_path / "b.sqlite").write_bytes(before[: len(before) // 2])
    for path in (tmp_path / "b.sqlite", tmp_path / "none.sqlite"):
        with pytest.raises(StoreUnavailable):
            restore(url, path)
    assert (tmp_path / "mms.sqlite").read_bytes() == before


def test_postgresql_is_left_to_its_own_tools(tmp_path: Path) -> None:
    for function in (back_up, restore):
        with pytest.raises(NotSqlite):
            function("postgresql+psycopg://localhost/mms", tmp_path / "b")
