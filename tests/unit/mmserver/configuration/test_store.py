"""Entries, their audit trail and what partners are told, in a real SQLite file."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mmserver.configuration.catalogue import Entry, Kind
from mmserver.configuration.errors import StoreUnavailable
from mmserver.configuration.schema.upgrade import upgrade
from mmserver.configuration.store import Store
from mmserver.configuration.tellings import Action, Telling
from mmserver.http.trace import trace
from mmserver.messages import Binding

SET = {"private_user_identity": "m@ims.mc1.lab", "public_user_identities": ["sip:m@ims.mc1.lab"]}


def telling(name: str, action: Action = Action.WITHDRAW, partner: str = "mc2", since: float = 1.0) -> Telling:
    body = {
        "binding": name,
        "role": "primary",
        "state": "allocated",
        "enabled": False,
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "other_mc_system": partner,
        "migration_management_server": "mms.mc1.lab",
        "identities": SET,
        "counterpart": SET,
        "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        "version": 1,
    }
    return Telling(Binding.model_validate(body), action, since)


@pytest.fixture(autouse=True)
async def connections_end_before_the_loop() -> AsyncIterator[None]:
    """Let aiosqlite's threads end while there is a loop that they can speak to: one whose open failed ends late."""
    yield
    deadline = asyncio.get_running_loop().time() + 60
    while any("_connection_worker_thread" in thread.name for thread in threading.enumerate()):
        assert asyncio.get_running_loop().time() < deadline, "a connection to SQLite was left open"
        await asyncio.sleep(0.005)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/cms.sqlite"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    upgrade(url)
    one = Store(url, 5.0)
    yield one
    await one.close()


def entry(name: str, document: str = "{}") -> Entry:
    return Entry(Kind.GROUP, name, document, at=12.5, actor="admin")


async def test_an_entry_is_kept_replaced_and_removed_each_with_a_version_and_an_audit_row(store: Store) -> None:
    assert await store.version() == 0
    with trace() as current:
        assert await store.put(entry("crew")) == 1
    assert await store.put(entry("crew", '{"a": 1}')) == 2
    version, found = await store.entries()
    assert (version, found) == (2, [Entry(Kind.GROUP, "crew", '{"a": 1}', version=2, at=12.5, actor="admin")])
    assert await store.remove(entry("crew"))
    assert not await store.remove(entry("crew"))
    assert await store.entries() == (3, [])
    rows = await store.audit_trail(None, None, 0)
    assert [row.event for row in rows] == ["group.set", "group.set", "group.removed"]
    assert (rows[0].traceparent, rows[1].traceparent, rows[0].actor) == (current, "", "admin")
    assert await store.audit_trail(Kind.USER, None, 0) == []
    assert len(await store.audit_trail(Kind.GROUP, "crew", rows[0].id)) == 2


async def test_tellings_are_kept_as_they_stand(store: Store) -> None:
    waiting = telling("b-1").failed(5.0, "partner-unreachable")
    told = telling("b-2", Action.RELEASE, "mc3").told(6.0)
    await store.save_tellings([waiting, told])
    await store.save_tellings([])
    assert await store.find_tellings(None, None, "") == [waiting, told]
    assert await store.find_tellings(None, True, "") == await store.pending_tellings(10) == [waiting]
    assert await store.find_tellings("mc3", None, "") == await store.find_tellings(None, None, "b-1") == [told]
    await store.save_tellings([waiting.told(9.0)])
    assert (await store.telling("b-1")) == waiting.told(9.0)
    assert await store.telling("b-9") is None


async def test_what_is_over_is_forgotten_and_a_withdrawal_that_stands_is_not(store: Store) -> None:
    await store.save_tellings(
        [telling("b-1").told(1.0), telling("b-2", Action.RELEASE).told(1.0), telling("b-3", Action.RELEASE).told(9.0)]
    )
    assert await store.forget_tellings(5.0) == 1
    assert [one.binding.binding for one in await store.find_tellings(None, None, "")] == ["b-1", "b-3"]


async def test_a_store_without_its_schema_is_said_so(url: str) -> None:
    store = Store(url, 1.0)
    with pytest.raises(StoreUnavailable):
        await store.require_schema()
    await store.close()
    upgrade(url)
    store = Store(url, 1.0)
    await store.require_schema()
    await store.close()


async def test_a_store_that_is_gone_is_one_error_of_ours(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/cms.sqlite", 1.0)
    for work in (store.version(), store.put(entry("a")), store.save_tellings([telling("b")])):
        with pytest.raises(StoreUnavailable):
            await work
    await store.close()


async def test_a_change_cut_off_anywhere_is_whole_or_none_and_blocks_nobody(store: Store) -> None:
    """A server that stops cancels what is under way."""
    for turns in range(0, 60, 3):
        task = asyncio.create_task(store.put(entry(f"g{turns}")))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.wait([task])
    version = await store.put(entry("after"))
    _, found = await store.entries()
    assert version == len(found) == len(await store.audit_trail(None, None, 0))
