"""SQLite carried out in place: what may wait or take long leaves the loop's thread, nothing else does."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from mmserver.migration.store_engine import READ_ONLY, create_store_engine
from mmserver.migration.store_sqlite import FEW, Connection, in_place

BUSY_S = 5.0
LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT count(*) FROM n"


class CountingExecutor(ThreadPoolExecutor):
    """The loop's threads, and how often one of them was asked."""

    def __init__(self) -> None:
        super().__init__(2)
        self.visits = 0
        self.visited = asyncio.Event()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.visits += 1
        self.visited.set()
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
async def threads() -> CountingExecutor:
    executor = CountingExecutor()
    asyncio.get_running_loop().set_default_executor(executor)
    return executor


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_store_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", BUSY_S)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (v INT PRIMARY KEY)")
    yield engine
    await engine.dispose()


def other_writer(tmp_path: Path) -> sqlite3.Connection:
    """Return another program's connection, which is writing."""
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_the_url_stays_but_for_the_driver() -> None:
    assert in_place("sqlite+aiosqlite:////var/lib/mms.sqlite").render_as_string() == (
        "sqlite+inplace:////var/lib/mms.sqlite"
    )


async def test_a_writing_transaction_visits_a_thread_once(engine: AsyncEngine, threads: CountingExecutor) -> None:
    """Only its COMMIT waits for something: the disk."""
    async with engine.begin() as connection:
        for value in range(10):
            await connection.exec_driver_sql("INSERT INTO t VALUES (?)", (value,))
            found = await connection.exec_driver_sql("SELECT max(v) FROM t")
            assert found.scalar_one() == value
    assert threads.visits == 1


async def test_a_reading_transaction_visits_no_thread(engine: AsyncEngine, threads: CountingExecutor) -> None:
    async with engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1), (2), (3)")
    before = threads.visits
    async with engine.connect() as connection:
        await connection.execution_options(**READ_ONLY)
        async with connection.begin():
            rows = await connection.exec_driver_sql("SELECT v FROM t ORDER BY v")
            assert (rows.fetchone(), rows.fetchmany(1), rows.fetchall()) == ((1,), [(2,)], [(3,)])
    assert threads.visits == before


async def test_a_query_that_takes_long_leaves_the_loop_alone(engine: AsyncEngine, threads: CountingExecutor) -> None:
    """Begun in the loop's thread, given up there, and carried out in another; what the transaction wrote stays."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (7)")
        assert (await connection.exec_driver_sql(LONG)).scalar_one() == 200_000
        assert threads.visits == 1
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT v FROM t")).scalars().all() == [7]


async def test_many_rows_are_written_in_a_thread(engine: AsyncEngine, threads: CountingExecutor) -> None:
    async with engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(value,) for value in range(FEW)])
        assert threads.visits == 0
        await connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(100 + value,) for value in range(FEW + 1)])
        assert threads.visits == 1
        assert (await connection.exec_driver_sql("SELECT count(*) FROM t")).scalar_one() == 2 * FEW + 1


async def test_the_loop_goes_on_while_a_writer_waits_for_another(
    engine: AsyncEngine, threads: CountingExecutor, tmp_path: Path
) -> None:
    other = other_writer(tmp_path)

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    waiting = asyncio.create_task(write())
    async with asyncio.timeout(BUSY_S):
        await threads.visited.wait()  # it waits in its thread, and we are here
    assert not waiting.done()
    other.execute("INSERT INTO t VALUES (2)")
    other.execute("COMMIT")
    other.close()
    await waiting
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT v FROM t ORDER BY v")).scalars().all() == [1, 2]


async def test_a_writer_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    impatient = create_store_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", 0.05)
    async with impatient.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (v INT)")
    other = other_writer(tmp_path)
    for _ in range(2):  # the bound stays
        with pytest.raises(OperationalError, match="locked"):
            async with impatient.begin():
                raise AssertionError("there are two writers")
    other.close()
    await impatient.dispose()


def test_a_writer_that_cannot_begin_keeps_its_patience(tmp_path: Path) -> None:
    """Whatever the reason: the next one waits as long as it may."""
    connection = sqlite3.connect(tmp_path / "x.sqlite", factory=Connection, isolation_level=None, timeout=1.234)
    connection.begin_writing()
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        connection.begin_writing()
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (1234,)
    connection.close()


async def test_a_writer_cancelled_while_it_waits_leaves_no_lock(
    engine: AsyncEngine, threads: CountingExecutor, tmp_path: Path
) -> None:
    other = other_writer(tmp_path)

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    waiting = asyncio.create_task(write())
    async with asyncio.timeout(BUSY_S):
        await threads.visited.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    other.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other.execute("BEGIN IMMEDIATE")  # at once: nobody holds it
    assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    other.close()


async def test_what_fails_is_undone_alone(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        with pytest.raises(IntegrityError):
            async with connection.begin_nested():
                await connection.exec_driver_sql("INSERT INTO t VALUES (2)")
                await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        await connection.exec_driver_sql("UPDATE t SET v = 5 WHERE v = 1 RETURNING v")
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT v FROM t")).scalars().all() == [5]
