"""A registration is renewed without a thread, as the ordinary way would, or not at all."""

import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from mmserver.migration.bindings import IdentityBinding, Registration, register
from mmserver.migration.errors import StoreUnavailable
from mmserver.migration.store import BindingStore, Change, Transaction
from mmserver.migration.store_renewal import ORDINARY_EACH, Renewal

PAGES_OF_A_LOG = 1000
PAGE_OCTETS = 4096


@pytest.fixture
async def binding(mms: Any) -> IdentityBinding:
    """Return one that is registered, as it is stored; the ordinary way has had its first turn."""
    old = await mms.allocated(impus=2)
    registration = Registration("sip:s", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600)
    async with mms.store.writing() as transaction:
        saved: IdentityBinding = await transaction.save(old, register(old, registration), renewed(mms))
    assert mms.store._renewal.renew(saved, mms.now + 600, renewed(mms)) is None
    return saved


@pytest.fixture
async def other(mms: Any) -> AsyncIterator[sqlite3.Connection]:
    """Yield another process's connection to the same database."""
    connection = sqlite3.connect(path(mms), isolation_level=None)
    yield connection
    connection.close()


def path(mms: Any) -> Path:
    found = sqlalchemy.make_url(mms.config.store.url).database
    assert found is not None
    return Path(found)


def open_files() -> list[str]:
    return [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]


def renewed(mms: Any) -> Change:
    return Change(
        "registration.stored", "scscf.mc2.lab", mms.now, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    )


async def kept(mms: Any, handle: str) -> tuple[Any, list[dict[str, Any]]]:
    async with mms.store.reading() as transaction:
        trail = [dict(row) for row in await transaction.audit_trail(handle)]
        return await transaction.find(handle), trail


async def test_it_leaves_what_the_ordinary_way_leaves(mms: Any, binding: IdentityBinding) -> None:
    assert binding.registration is not None
    until = mms.now + 700.25
    new = mms.store._renewal.renew(binding, until, renewed(mms))
    found, at_once = await kept(mms, binding.handle)
    assert found == new == replace(binding, registration=replace(binding.registration, until=until))
    async with mms.store.writing(is_renewal=True) as transaction:
        await transaction.save(new, new, renewed(mms))
    again, ordinary = await kept(mms, binding.handle)
    assert again == found
    assert {**ordinary[-1], "id": 0} == {**at_once[-1], "id": 0} and len(ordinary) == len(at_once) + 1


async def test_the_sweep_looks_at_it_when_the_later_time_is_over(mms: Any, binding: IdentityBinding) -> None:
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is not None
    async with mms.store.reading() as transaction:
        assert await transaction.find_due(mms.now + 899) == []
        assert [due.handle for due in await transaction.find_due(mms.now + 900)] == [binding.handle]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE bindings SET enabled = 0", "UPDATE bindings SET registered_until = 1", "DELETE FROM bindings"],
)
async def test_what_is_another_binding_by_now_is_left_alone(
    mms: Any, binding: IdentityBinding, other: sqlite3.Connection, statement: str
) -> None:
    other.execute(statement)
    before = await kept(mms, binding.handle)
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is None
    assert await kept(mms, binding.handle) == before
    other.execute("BEGIN IMMEDIATE")  # nothing was left open


async def test_what_is_not_registered_is_left_alone(mms: Any) -> None:
    allocated = await mms.allocated()
    assert mms.store._renewal.renew(allocated, mms.now + 900, renewed(mms)) is None


async def test_it_waits_for_no_other_writer(mms: Any, binding: IdentityBinding, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is None
    other.execute("ROLLBACK")
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is not None


async def test_a_renewal_without_its_audit_row_is_none(
    mms: Any, binding: IdentityBinding, other: sqlite3.Connection
) -> None:
    other.execute("CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END")
    with pytest.raises(sqlite3.IntegrityError, match="no more"):
        mms.store._renewal.renew(binding, mms.now + 900, renewed(mms))
    other.execute("DROP TRIGGER no_more")
    assert (await kept(mms, binding.handle))[0] == binding
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is not None


async def test_what_cannot_be_done_at_once_is_done_in_the_same_turn(mms: Any, binding: IdentityBinding) -> None:
    """Who has waited for his turn does not wait for another one."""
    turns: list[bool] = []

    async def ordinarily(transaction: Transaction) -> IdentityBinding | None:
        turns.append(mms.store._turn.locked())
        return await transaction.save(binding, binding, renewed(mms))

    assert await mms.store.renew(replace(binding, enabled=False), mms.now + 900, renewed(mms), ordinarily) == binding
    assert (turns, mms.store._turn.locked()) == ([True], False)
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms), ordinarily) != binding
    assert turns == [True], "it was done at once"


async def test_a_foreign_writer_is_waited_for_once(
    mms: Any, binding: IdentityBinding, other: sqlite3.Connection
) -> None:
    narrow = BindingStore(mms.config.store.url, 0.2)

    async def ordinarily(_transaction: Transaction) -> IdentityBinding | None:
        raise AssertionError("there is no transaction")

    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="locked"):
        await narrow.renew(binding, mms.now + 900, renewed(mms), ordinarily)
    assert 0.2 <= time.monotonic() - began < 2.0
    await narrow.close()


async def test_the_log_is_emptied_by_the_ordinary_way_in_its_turn(mms: Any, binding: IdentityBinding) -> None:
    """It does not grow with the renewals: what it is emptied by waits for the disk, and so for its turn."""
    turns = []
    for second in range(10 * ORDINARY_EACH):
        new = mms.store._renewal.renew(binding, mms.now + 600 + second, renewed(mms))
        if new is None:
            turns.append(second)
            async with mms.store.writing(is_renewal=True) as transaction:
                new = await transaction.save(binding, binding, renewed(mms))
        binding = new
    assert 10 < len(turns) <= 20, "each in its turn, and once more after each time that the log was emptied"
    log = path(mms).with_name(path(mms).name + "-wal")
    assert log.stat().st_size < (PAGES_OF_A_LOG + 16 * ORDINARY_EACH) * PAGE_OCTETS


async def test_whoever_empties_the_log_the_next_renewal_goes_the_ordinary_way(
    mms: Any, binding: IdentityBinding, other: sqlite3.Connection
) -> None:
    """SQLite has the head of the new log on the disk before it goes on."""
    later = mms.store._renewal.renew(binding, mms.now + 900, renewed(mms))
    assert later is not None
    busy, _pages, _carried = other.execute("pragma wal_checkpoint").fetchone()
    assert not busy
    assert mms.store._renewal.renew(later, mms.now + 901, renewed(mms)) is None
    assert mms.store._renewal.renew(later, mms.now + 902, renewed(mms)) is not None


async def test_the_connection_waits_for_nothing(mms: Any, binding: IdentityBinding) -> None:
    """Neither for the disk with each commit, nor to carry the log into the database, nor for another writer."""
    connection = mms.store._renewal._connection.get()
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout")
    assert [connection.execute(f"pragma {name}").fetchone()[0] for name in names] == ["wal", 1, 0, 0]


async def test_a_closed_store_opens_no_connection_anew(mms: Any, binding: IdentityBinding) -> None:
    await mms.store.close()
    assert mms.store._renewal.renew(binding, mms.now + 900, renewed(mms)) is None
    assert mms.store._renewal._connection._connection is None


async def test_a_database_that_is_none_is_an_error(mms: Any, binding: IdentityBinding, tmp_path: Path) -> None:
    (tmp_path / "none.sqlite").write_bytes(b"not a database" * 100)
    renewal = Renewal(f"sqlite+aiosqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        renewal.renew(binding, mms.now + 900, renewed(mms))
    assert not [name for name in open_files() if name.endswith("none.sqlite")]
