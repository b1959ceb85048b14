"""The CMS's store on SQLite and on PostgreSQL: two instances over one database, and a database that goes away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mmserver.configuration.catalogue import Entry, Kind
from mmserver.configuration.errors import StoreUnavailable
from mmserver.configuration.schema import HEAD
from mmserver.configuration.schema.upgrade import upgrade
from mmserver.configuration.store import Store
from tests.databases import Database, PostgreSql, sqlite

WRITERS, WRITES = 4, 25


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSql]:
    server = PostgreSql("fsync=off")
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    made = server.create()
    yield made
    server.drop(made)


@pytest.fixture
async def stores(database: Database) -> AsyncIterator[tuple[Store, Store]]:
    """Two instances over one database."""
    assert upgrade(database.url) == HEAD
    first, second = Store(database.url, 10.0), Store(database.url, 10.0)
    yield first, second
    await first.close()
    await second.close()


def entry(name: str, document: str = "{}") -> Entry:
    return Entry(Kind.GROUP, name, document, at=1.0, actor="admin")


async def test_writers_of_two_instances_lose_nothing(stores: tuple[Store, Store], database: Database) -> None:
    """Each change has its own version and its audit row, whoever is faster."""

    async def write(number: int) -> list[int]:
        store = stores[number % 2]
        return [await store.put(entry(f"g{number}-{turn % 5}", f'{{"turn": {turn}}}')) for turn in range(WRITES)]

    taken = [one for found in await asyncio.gather(*(write(number) for number in range(WRITERS))) for one in found]
    assert sorted(taken) == list(range(1, WRITERS * WRITES + 1))
    version, found = await stores[0].entries()
    assert (version, len(found)) == (WRITERS * WRITES, WRITERS * 5)
    assert {one.document for one in found} == {f'{{"turn": {turn}}}' for turn in range(WRITES - 5, WRITES)}
    assert len(await stores[1].audit_trail(None, None, 0)) == WRITERS * WRITES
    assert database.one("SELECT count(*) FROM cms_audit") == WRITERS * WRITES


async def test_a_change_that_cannot_be_whole_is_none(stores: tuple[Store, Store], database: Database) -> None:
    """The audit row cannot be written: the entry and its version are not, either."""
    first, second = stores
    await first.put(entry("before"))
    database.execute("ALTER TABLE cms_audit RENAME TO cms_audit_away")
    with pytest.raises(StoreUnavailable):
        await first.put(entry("after"))
    with pytest.raises(StoreUnavailable):
        await first.remove(entry("before"))
    assert [one.name for one in (await second.entries())[1]] == ["before"]
    assert await second.version() == 1
    database.execute("ALTER TABLE cms_audit_away RENAME TO cms_audit")
    assert await first.put(entry("after")) == 2


async def test_a_database_that_goes_away_and_returns_needs_no_restart(postgresql: PostgreSql) -> None:
    database = postgresql.create()
    upgrade(database.url)
    store = Store(database.url, 5.0)
    await store.put(entry("before"))
    await asyncio.to_thread(postgresql.control, "stop", "-m", "immediate")
    with pytest.raises(StoreUnavailable):
        await store.put(entry("meanwhile"))
    await asyncio.to_thread(postgresql.control, "start")
    assert await store.put(entry("after")) == 2
    assert sorted(one.name for one in (await store.entries())[1]) == ["after", "before"]
    await store.close()


def test_the_schema_goes_up_and_down_beside_another_program_s(database: Database) -> None:
    from mmserver.migration.schema.upgrade import upgrade as upgrade_migration

    upgrade_migration(database.url)
    upgrade(database.url)
    assert database.one("SELECT v FROM cms_version") == 0
    upgrade(database.url, "base")
    assert database.one("SELECT count(*) FROM bindings") == 0
    upgrade(database.url)
    assert database.one("SELECT version_num FROM cms_alembic_version") == HEAD
