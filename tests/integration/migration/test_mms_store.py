"""The store on real databases: two processes at once, a sudden end at any moment, no room, a lock."""

import asyncio
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy
from sqlalchemy.exc import IntegrityError

from mmserver.http import postgresql
from mmserver.messages import PartnerSipIdentitiesRequest
from mmserver.migration.config import load_config
from mmserver.migration.errors import NoFreePartnerSet, NotStorable, StoreUnavailable
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from tests.databases import Database

POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

WORKER = Path(__file__).with_name("store_worker.py")
POOL = """
[allocation.partner]
mode = "pool"
sets = [{sets}]

[[partners]]"""
PARTNER = {
    "primary_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "primary_mc_system_sip_identities": {
        "private_user_identity": "mig-a@ims.mc1.lab",
        "public_user_identities": ["sip:mig-a@ims.mc1.lab"],
    },
    "mc_service_ids": ["sip:alice@mc1.lab"],
}


def pool(count: int) -> str:
    sets = ", ".join(
        f'{{private_user_identity="mig-{number}@ims.mc2.lab", public_user_identities=["sip:mig-{number}@ims.mc2.lab"]}}'
        for number in range(count)
    )
    return POOL.replace("{sets}", sets)


def start(config_file: Path, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WORKER), str(config_file), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)


def require_whole(database: Database) -> int:
    """Hold every row to its partners in the other tables; return how many bindings there are."""
    one = database.one
    if database.name == "sqlite":
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        assert database.rows("PRAGMA foreign_key_check") == []
    count: int = one("SELECT count(*) FROM bindings")
    assert one("SELECT count(*) FROM lent_identities") == 2 * count
    assert one("SELECT count(DISTINCT handle) FROM audit WHERE event = 'binding.held'") == count
    assert one("SELECT count(*) FROM bindings WHERE state = 'allocated'") == one(
        "SELECT count(*) FROM audit WHERE event = 'binding.confirmed'"
    )
    newest = one("SELECT v FROM feed_version")
    assert one("SELECT coalesce(max(version), 0) FROM bindings") in (0, newest)
    versions = one("SELECT count(DISTINCT version) FROM bindings WHERE version > 0")
    assert versions == one("SELECT count(*) FROM bindings WHERE version > 0")
    return count


def test_two_processes_lend_nothing_twice(lab: Any) -> None:
    config = load_config(lab.config_file)
    upgrade(config.store.url)
    workers = [start(lab.config_file, name, 30) for name in ("one", "two")]
    lines = [line.split() for worker in workers for line in worker.communicate(timeout=100)[0].splitlines()]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len(lines) == 60
    by_user: dict[str, set[str]] = {}
    for user, handle, _impi in lines:
        by_user.setdefault(user, set()).add(handle)
    assert {len(handles) for handles in by_user.values()} == {1}  # the same request gives the same binding
    assert len({impi for _, _, impi in lines}) == len(by_user) == 45
    assert require_whole(lab.database) == 45


def test_two_processes_share_one_pool(lab: Any) -> None:
    lab.configure(**{"\n[[partners]]": pool(20)})
    upgrade(load_config(lab.config_file).store.url)
    workers = [start(lab.config_file, name, 30) for name in ("one", "two")]
    lines = [line.split() for worker in workers for line in worker.communicate(timeout=100)[0].splitlines()]
    lent = {line[2] for line in lines if len(line) == 3}
    refused = [line[0] for line in lines if len(line) == 1]
    assert len(lent) == 20
    assert set(refused) == {"no-free-partner-set"}
    assert require_whole(lab.database) == 20


@pytest.mark.parametrize("lines", [1, 7, 20])
def test_a_sudden_end_leaves_no_half_state(lab: Any, lines: int) -> None:
    """kill -9 while transactions are under way, then the next process goes on."""
    upgrade(load_config(lab.config_file).store.url)
    worker = start(lab.config_file, "one", 100_000)
    assert worker.stdout is not None
    for _ in range(lines):
        worker.stdout.readline()
    worker.kill()
    worker.communicate()
    assert require_whole(lab.database) >= lines
    following = start(lab.config_file, "two", 3)
    assert len(following.communicate(timeout=60)[0].splitlines()) == 3
    require_whole(lab.database)


def test_the_audit_trail_only_grows(lab: Any) -> None:
    upgrade(lab.database.url)
    lab.database.execute(
        "INSERT INTO audit (at, handle, event, actor, reason, state, enabled, deregistration, version)"
        " VALUES (0, 'b', 'e', 'a', '', 'held', true, 'none', 0)"
    )
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(IntegrityError, match="only grows"):
            lab.database.execute(statement)
    assert lab.database.rows("SELECT actor FROM audit") == [("a",)]


def test_a_live_binding_per_key_is_a_constraint(lab: Any) -> None:
    """Were the rules wrong, the database would still say no."""
    upgrade(lab.database.url)
    row = (
        "INSERT INTO bindings (handle, role, state, key, enabled, releasing, provisioned, other_mc_system,"
        " migration_management_server, mc_service_ids, private_user_identity, public_user_identities,"
        " counterpart_private_user_identity, counterpart_public_user_identities, scope, valid_until, held_until,"
        " quarantined_until, deregistration, due_at, version) VALUES"
        " (:handle, 'partner', :state, 'k', true, false, false, 'mc1', 'm', '[]', 'i', '[]', 'c', '[]', '', 0, NULL,"
        " :quarantined_until, 'none', 0, 0)"
    )
    lab.database.execute(row, handle="ended", state="quarantined", quarantined_until=1.0)
    lab.database.execute(row, handle="live", state="allocated", quarantined_until=None)
    for state in ("allocated", "held"):
        with pytest.raises(IntegrityError):
            lab.database.execute(row, handle="second", state=state, quarantined_until=None)


@contextmanager
def no_room(process: int) -> Iterator[None]:
    """Let no file of a process grow: what a full disk looks like to SQLite."""
    soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


@SQLITE
async def test_a_full_disk_is_503_and_passes(program: Any, lab: Any) -> None:
    program.call("upgrade")
    program.start()
    context = lab.context(lab.credentials("cms.mc2.lab"))
    path = "/csc-x/v1/partner-mc-system-sip-identities"
    async with httpx2.AsyncClient(base_url=f"https://{program.listen[0]}", verify=context, timeout=60) as cms:
        with no_room(program.process.pid):
            response = await cms.post(path, json=PARTNER)
            assert (await cms.get("/health")).status_code == 200
        assert (response.status_code, response.json()["type"]) == (503, "urn:mc-migration:problem:store-unavailable")
        assert response.headers["retry-after"] == "1"
        assert require_whole(lab.database) == 0
        assert (await cms.post(path, json=PARTNER)).status_code == 200
        assert require_whole(lab.database) == 1


async def test_a_locked_store_is_503_and_passes(cms: httpx2.AsyncClient, lab: Any) -> None:
    with lab.database.connect() as connection, connection.begin():
        # The pool's own begin is deferred on SQLite: a row written makes it the one writer.
        connection.execute(sqlalchemy.text("UPDATE feed_version SET v = v"))
        response = await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)
        assert (response.status_code, response.json()["type"]) == (503, "urn:mc-migration:problem:store-unavailable")
        assert (await cms.get("/csc-x/v1/bindings")).status_code == 200  # readers wait for no writer
    assert (await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)).status_code == 200


async def test_a_hold_lapses_by_itself(lab: Any, cms: httpx2.AsyncClient, service: Any) -> None:
    held = (await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)).json()
    async with service.store.writing() as transaction:
        binding = await transaction.find(held["binding"])
        assert binding is not None
        await transaction._connection.execute(
            sqlalchemy.text("UPDATE bindings SET held_until = :now, due_at = :now"), {"now": time.time()}
        )
    async with asyncio.timeout(60):
        while (await cms.get(f"/csc-x/v1/bindings/{held['binding']}")).status_code != 404:
            await service.feed.changes(0, 1, 0.05)


async def test_many_at_once_in_one_process(lab: Any) -> None:
    config = load_config(lab.configure(**{"\n[[partners]]": pool(10)}))
    upgrade(config.store.url)
    store = BindingStore(config.store.url, 10.0)
    server = MigrationManagementServer(config, store, clock=time.time, randomness=secrets.token_bytes)

    def asked(number: int) -> PartnerSipIdentitiesRequest:
        primary = {
            "private_user_identity": f"mig-{number}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{number}@ims.mc1.lab"],
        }
        return PartnerSipIdentitiesRequest.model_validate(PARTNER | {"primary_mc_system_sip_identities": primary})

    calls = (server.get_partner_sip_identities(asked(number), "test") for number in range(14))
    found = await asyncio.gather(*calls, return_exceptions=True)
    await store.close()
    refused = [one for one in found if isinstance(one, NoFreePartnerSet)]
    lent = {one.identities.private_user_identity for one in found if not isinstance(one, BaseException)}
    assert (len(refused), len(lent)) == (4, 10)


async def test_what_no_column_holds_is_refused_or_found_nowhere(lab: Any) -> None:
    """PostgreSQL's texts hold no NUL: a refusal, not a store that fails; SQLite just finds nothing."""
    upgrade(lab.database.url)
    store = BindingStore(lab.database.url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        if lab.database.name == "postgresql":
            stack.enter_context(pytest.raises(NotStorable, match="NUL"))
        async with store.reading() as transaction:
            assert await transaction.find("a\0b") is None


@POSTGRESQL
async def test_only_a_renewal_does_not_wait_for_the_disk(lab: Any) -> None:
    upgrade(lab.database.url)
    store = BindingStore(lab.database.url)
    found = []
    for is_renewal in (True, False):  # in this order: nothing of the first is left on the connection
        async with store.writing(is_renewal=is_renewal) as transaction:
            found.append((await transaction._connection.exec_driver_sql("SHOW synchronous_commit")).scalar())
    await store.close()
    assert found == ["off", "on"]


@POSTGRESQL
async def test_an_instance_that_stops_in_a_transaction_loses_it(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paused or cut off with the lock in its hands: the others wait a bounded time, and what it had begun is undone."""
    monkeypatch.setattr(postgresql, "IDLE_IN_TRANSACTION_MS", 500)
    upgrade(lab.database.url)
    paused, other = BindingStore(lab.database.url, 20.0), BindingStore(lab.database.url, 20.0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(paused.close)
        stack.push_async_callback(other.close)
        with pytest.raises(StoreUnavailable):
            async with paused.writing() as transaction:
                await transaction.acknowledge("proxy1.mc2.lab", 1, 1.0)
                async with other.writing() as theirs:
                    await theirs.acknowledge("proxy2.mc2.lab", 2, 2.0)
                await transaction.acknowledge("proxy1.mc2.lab", 3, 3.0)
        async with other.reading() as transaction:
            assert await transaction.acknowledged() == {"proxy2.mc2.lab": 2}
