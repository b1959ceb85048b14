"""A registration is renewed without a thread, as the ordinary way would, or not at all."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from mmserver.migration.bindings import IdentityBinding, Registration, register
from mmserver.migration.errors import StoreUnavailable
from mmserver.migration.store import Change
from mmserver.migration.store_renewal import ORDINARY_EACH, Renewal

PAGES_OF_A_LOG = 1000
PAGE_OCTETS = 4096


@pytest.fixture
async def binding(mms: Any) -> IdentityBinding:
    """Return one that is registered, as it is stored."""
    old = await mms.allocated(impus=2)
    registration = Registration("sip:s", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600)
    async with mms.store.writing() as transaction:
        saved: IdentityBinding = await transaction.save(old, register(old, registration), renewed(mms))
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


def renewed(mms: Any) -> Change:
    return Change(
        "registration.stored", "scscf.mc2.lab", mms.now, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    )


async def stored(mms: Any, handle: str) -> tuple[Any, list[dict[str, Any]]]:
    async with mms.store.reading() as transaction:
        trail = [dict(row) for row in await transaction.audit_trail(handle)]
        return await transaction.find(handle), trail


async def test_it_leaves_what_the_ordinary_way_leaves(mms: Any, binding: IdentityBinding) -> None:
    assert binding.registration is not None
    until = mms.now + 700.25
    new = await mms.store.renew(binding, until, renewed(mms))
    found, at_once = await stored(mms, binding.handle)
    assert found == new == replace(binding, registration=replace(binding.registration, until=until))
    async with mms.store.writing(is_renewal=True) as transaction:
        await transaction.save(new, new, renewed(mms))
    again, ordinary = await stored(mms, binding.handle)
    assert again == found
    assert {**ordinary[-1], "id": 0} == {**at_once[-1], "id": 0} and len(ordinary) == len(at_once) + 1


async def test_the_sweep_looks_at_it_when_the_later_time_is_over(mms: Any, binding: IdentityBinding) -> None:
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms)) is not None
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
    before = await stored(mms, binding.handle)
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms)) is None
    assert await stored(mms, binding.handle) == before
    other.execute("BEGIN IMMEDIATE")  # nothing was left open


async def test_what_is_not_registered_is_left_alone(mms: Any) -> None:
    allocated = await mms.allocated()
    assert await mms.store.renew(allocated, mms.now + 900, renewed(mms)) is None


async def test_it_waits_for_no_other_writer(mms: Any, binding: IdentityBinding, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms)) is None
    other.execute("ROLLBACK")
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms)) is not None


async def test_a_renewal_without_its_audit_row_is_none(
    mms: Any, binding: IdentityBinding, other: sqlite3.Connection
) -> None:
    other.execute("CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END")
    with pytest.raises(StoreUnavailable, match="no more"):
        await mms.store.renew(binding, mms.now + 900, renewed(mms))
    other.execute("DROP TRIGGER no_more")
    assert (await stored(mms, binding.handle))[0] == binding
    assert await mms.store.renew(binding, mms.now + 900, renewed(mms)) is not None


async def test_the_log_is_emptied_by_the_ordinary_way_in_its_turn(mms: Any, binding: IdentityBinding) -> None:
    """It does not grow with the renewals: what it is emptied by waits for the disk, and so for its turn."""
    turns = 0
    for second in range(10 * ORDINARY_EACH):
        new = await mms.store.renew(binding, mms.now + 600 + second, renewed(mms))
        if new is None:
            turns += 1
            async with mms.store.writing(is_renewal=True) as transaction:
                new = await transaction.save(binding, binding, renewed(mms))
        binding = new
    assert turns == 10
    log = path(mms).with_name(path(mms).name + "-wal")
    assert log.stat().st_size < (PAGES_OF_A_LOG + 16 * ORDINARY_EACH) * PAGE_OCTETS


async def test_a_database_that_is_none_is_an_error(mms: Any, binding: IdentityBinding, tmp_path: Path) -> None:
    (tmp_path / "none.sqlite").write_bytes(b"not a database" * 100)
    renewal = Renewal(f"sqlite+aiosqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        renewal.renew(binding, mms.now + 900, renewed(mms))
    renewal.close()
