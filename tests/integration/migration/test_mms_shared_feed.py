"""Readers of the feed beside several instances over one database, through late commits, outages and restores."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from mmserver.migration import feed
from mmserver.migration.config import load_config
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.service import Service
from mmserver.migration.store import BindingStore, Change
from tests import step_10
from tests.databases import Database, PostgreSql
from tests.store_invariants import require_consistent

CHANGES = "/feed/v1/changes"
POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
DEADLINE_S = 60.0
FILLING_MAX = 2000


async def lend(cms: httpx2.AsyncClient, user: str) -> dict[str, Any]:
    held = (await cms.post(step_10.PATH, json=step_10.asked(user))).json()
    binding: dict[str, Any] = (await cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})).json()
    return binding


class Instance:
    """A running service and its clients."""

    def __init__(self, lab: Any, service: Service) -> None:
        self._lab = lab
        self.service = service
        self.stack = AsyncExitStack()

    async def client(self, name: str) -> httpx2.AsyncClient:
        context = self._lab.context(self._lab.credentials(name))
        base = f"https://{self.service.http.listen}"
        return await self.stack.enter_async_context(httpx2.AsyncClient(base_url=base, verify=context, timeout=30))


@asynccontextmanager
async def instance(lab: Any) -> AsyncIterator[Instance]:
    async with Service(load_config(lab.config_file)) as service:
        one = Instance(lab, service)
        async with one.stack:
            yield one


@pytest.fixture
async def two(lab: Any) -> AsyncIterator[tuple[Instance, Instance]]:
    lab.configure(**{"busy_timeout_s = 0.5": "busy_timeout_s = 10.0"})
    upgrade(lab.database.url)
    async with instance(lab) as one, instance(lab) as other:
        yield one, other


async def test_a_reader_misses_no_change_that_commits_late(lab: Any) -> None:
    """A transaction takes its version and stays open; a later one cannot commit before it, and readers do not wait."""
    upgrade(lab.database.url)
    stores = [BindingStore(lab.database.url, 20.0) for _ in range(3)]
    async with instance(lab) as one:
        cms = await one.client("cms.mc2.lab")
        handles = [(await lend(cms, user))["binding"] for user in ("early", "late")]

    async def disable(store: BindingStore, handle: str, may_commit: asyncio.Event) -> int:
        async with store.writing() as transaction:
            old = await transaction.find(handle)
            assert old is not None
            new = await transaction.save(old, replace(old, enabled=False), Change("test", "test", time.time()))
            taken.set()
            await may_commit.wait()
        return new.version

    async def read(after: int) -> list[tuple[str, int]]:
        async with stores[2].reading() as transaction:
            return [(one.handle, one.version) for one in await transaction.find_changes(after, 10, served_only=False)]

    async with stores[2].reading() as transaction:
        before, _horizon = await transaction.feed_position()
    taken, first_may, second_may = asyncio.Event(), asyncio.Event(), asyncio.Event()
    second_may.set()
    first = asyncio.create_task(disable(stores[0], handles[0], first_may))
    await asyncio.wait_for(taken.wait(), DEADLINE_S)
    second = asyncio.create_task(disable(stores[1], handles[1], second_may))
    done, _pending = await asyncio.wait([second], timeout=0.5)
    assert not done, "a later version was committed before an earlier one"
    assert await read(before) == []
    first_may.set()
    versions = [await first, await second]
    assert versions == [before + 1, before + 2]
    assert await read(before) == list(zip(handles, versions, strict=True))
    for store in stores:
        await store.close()


@POSTGRESQL
async def test_a_commit_at_one_instance_wakes_the_readers_of_another(
    two: tuple[Instance, Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RECHECK_S", 60.0)
    one, other = two
    cms, proxy = await one.client("cms.mc2.lab"), await other.client("proxy1.mc2.lab")
    version = (await proxy.get(CHANGES)).json()["version"]
    waiting = asyncio.create_task(proxy.get(CHANGES, params={"after": version, "wait_s": 25}))
    binding = await lend(cms, "a")
    page = (await asyncio.wait_for(waiting, 20)).json()
    assert [entry["binding"] for entry in page["entries"]] == [binding["binding"]]


async def test_each_instance_names_the_proxies_that_are_behind(two: tuple[Instance, Instance]) -> None:
    """proxy1 follows the one instance, proxy2 the other; both acknowledge; either instance knows of both."""
    one, other = two
    admins = [await at.client("admin.mc2.lab") for at in two]
    proxies = {
        "proxy1.mc2.lab": await one.client("proxy1.mc2.lab"),
        "proxy2.mc2.lab": await other.client("proxy2.mc2.lab"),
    }
    path = f"/csc-x/v1/bindings/{(await lend(admins[0], 'a'))['binding']}"
    for name, proxy in proxies.items():
        page = (await proxy.get(CHANGES)).json()
        await proxy.put("/feed/v1/acknowledgement", json={"proxy": name, "version": page["version"]})
    assert [(await admin.get(path)).json()["proxies_behind"] for admin in admins] == [[], []]
    withdrawn = (await admins[1].post(f"{path}/disable", json={"reason": "lost"})).json()
    assert withdrawn["proxies_behind"] == list(proxies)
    page = (await proxies["proxy2.mc2.lab"].get(CHANGES, params={"after": page["version"], "wait_s": 10})).json()
    assert [entry["enabled"] for entry in page["entries"]] == [False]
    acknowledgement = {"proxy": "proxy2.mc2.lab", "version": page["version"]}
    await proxies["proxy2.mc2.lab"].put("/feed/v1/acknowledgement", json=acknowledgement)
    for admin in admins:
        assert (await admin.get(path)).json()["proxies_behind"] == ["proxy1.mc2.lab"]


async def write(lab: Any, statement: str, **values: Any) -> None:
    """Change the database from outside: not in the event loop, which the instances' own transactions need to go on."""
    await asyncio.to_thread(lab.database.execute, statement, **values)


async def test_two_instances_that_sweep_at_once_do_each_thing_once(lab: Any, two: tuple[Instance, Instance]) -> None:
    """Both find the same registration to end and the same holds to lapse; the trail tells of each once."""
    one, other = two
    cms = await one.client("cms.mc2.lab")
    handles = [(await lend(cms, user))["binding"] for user in "abcd"]
    past = time.time() - 1
    await write(lab, "UPDATE bindings SET valid_until = :past, due_at = :past", past=past)
    for _ in range(3):
        await asyncio.gather(one.service.withdrawal.sweep(), other.service.withdrawal.sweep())
    ended = lab.database.rows("SELECT handle, count(*) FROM audit WHERE event = 'binding.expired' GROUP BY handle")
    assert sorted(ended) == sorted((handle, 1) for handle in handles)
    await write(lab, "UPDATE bindings SET quarantined_until = :past, due_at = :past", past=past)
    await asyncio.gather(one.service.withdrawal.sweep(), other.service.withdrawal.sweep())
    freed = lab.database.rows("SELECT handle, count(*) FROM audit WHERE event = 'quarantine.ended' GROUP BY handle")
    assert sorted(freed) == sorted((handle, 1) for handle in handles)
    require_consistent(lab.database)


@pytest.mark.parametrize(("path", "member"), [("/feed/v1/rows", "rows"), (CHANGES, "entries")])
async def test_a_full_read_goes_on_at_another_instance_with_every_page(
    lab: Any, two: tuple[Instance, Instance], path: str, member: str
) -> None:
    """A load balancer chooses anew for each request; a deletion was forgotten before, so old versions are below it."""
    cms = await two[0].client("cms.mc2.lab")
    handles = [(await lend(cms, user))["binding"] for user in "abcde"]
    await cms.post(f"/csc-x/v1/bindings/{handles.pop()}/release", json={})
    past = time.time() - 1
    await write(lab, "UPDATE bindings SET quarantined_until = :p, due_at = :p WHERE state = 'quarantined'", p=past)
    await two[0].service.withdrawal.sweep()
    proxies = [await one.client("proxy1.mc2.lab") for one in two]
    page, seen, asked_for = {"version": 0, "began": 0, "complete": False}, 0, 0
    while not page["complete"]:
        query = {"after": page["version"], "began": page["began"], "limit": 1}
        page = (await proxies[asked_for % 2].get(path, params=query)).json()
        assert not page["reset"]
        seen, asked_for = seen + len(page[member]), asked_for + 1
    assert (seen, asked_for) == (len(handles), len(handles))
    forgetful = {"after": 1, "limit": 1}  # who does not say when its reading began is not trusted
    assert (await proxies[0].get(path, params=forgetful)).json()["reset"]


@pytest.fixture
def own_server() -> Iterator[PostgreSql]:
    """A server that this test may stop."""
    server = PostgreSql("fsync=off")
    yield server
    server.close()


@POSTGRESQL
async def test_a_database_that_goes_and_returns_is_an_outage_and_no_more(lab: Any, own_server: PostgreSql) -> None:
    """503 with problem details while it is away; then all goes on in the same process, and readers with it."""
    lab.database = own_server.create()
    lab.configure()
    upgrade(lab.database.url)
    async with instance(lab) as one:
        cms, proxy = await one.client("cms.mc2.lab"), await one.client("proxy1.mc2.lab")
        kept = await lend(cms, "a")
        version = (await proxy.get(CHANGES)).json()["version"]
        await asyncio.to_thread(own_server.control, "stop", "--", "-m", "immediate")
        for path, client in ((step_10.PATH, cms), (None, proxy)):
            response = await (client.get(CHANGES) if path is None else client.post(path, json=step_10.asked("b")))
            assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
            assert response.json()["type"] == "urn:mc-migration:problem:store-unavailable"
        assert (await cms.get("/health")).status_code == 200
        await asyncio.to_thread(own_server.control, "start")
        waiting = asyncio.create_task(proxy.get(CHANGES, params={"after": version, "wait_s": 25}))
        added = await lend(cms, "b")
        page = (await asyncio.wait_for(waiting, DEADLINE_S)).json()
        assert [entry["binding"] for entry in page["entries"]] == [added["binding"]]
        assert (await cms.get(f"/csc-x/v1/bindings/{kept['binding']}")).json()["state"] == "allocated"
    require_consistent(lab.database)


async def once_it_serves(ask: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """Ask until the answer is another one than 503."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        answer = await ask()
        if answer.status_code != 503 or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.1)


@pytest.fixture
def small_server() -> Iterator[PostgreSql]:
    """A server whose disk a test may fill."""
    server = PostgreSql("fsync=off", "max_wal_size=32MB", "wal_init_zero=off", disk_octets=112 << 20)
    yield server
    server.close()


@POSTGRESQL
async def test_a_full_disk_of_postgresql_is_503_and_passes(lab: Any, small_server: PostgreSql) -> None:
    """What was answered holds, nothing is half done, and with room it goes on in the same process."""
    lab.database = small_server.create()
    lab.configure(**{"held_s = 30": "held_s = 600"})
    upgrade(lab.database.url)
    async with instance(lab) as one:
        cms = await one.client("cms.mc2.lab")
        kept = [(await lend(cms, "kept"))["binding"]]
        with small_server.full_disk():
            for number in range(FILLING_MAX):
                response = await cms.post(step_10.PATH, json=step_10.asked(f"user{number}"))
                if response.status_code != 200:
                    break
                kept.append(response.json()["binding"])
            assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
            assert response.json()["type"] == "urn:mc-migration:problem:store-unavailable"
            assert (await cms.get("/health")).status_code == 200
        # A server that could not write its log has to recover first.
        answer = await once_it_serves(lambda: cms.post(step_10.PATH, json=step_10.asked("after")))
        assert answer.status_code == 200
        kept.append(answer.json()["binding"])
    found = [handle for (handle,) in lab.database.rows("SELECT handle FROM bindings")]
    assert sorted(found) == sorted(kept)
    require_consistent(lab.database)


def back_up(lab: Any, make_program: Callable[[], Any], server: PostgreSql | None) -> None:
    target = str(lab.folder / "backup")
    if server is None:
        run = make_program().call("backup", target)
    else:
        name = lab.database.url.rpartition("/")[2]
        command = ["pg_dump", "--format=custom", f"--file={target}", name]
        run = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def bring_back(lab: Any, make_program: Callable[[], Any], server: PostgreSql | None) -> None:
    target = str(lab.folder / "backup")
    if server is None:
        run = make_program().call("restore-backup", target)
    else:
        name = lab.database.url.rpartition("/")[2]
        command = ["pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={name}", target]
        run = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


async def test_after_a_restore_no_reader_goes_on_with_what_never_was(
    lab: Any, make_program: Callable[[], Any], database: Database, request: pytest.FixtureRequest
) -> None:
    """One change after the backup is lost, another takes its place: the reader is told to start again."""
    server = request.getfixturevalue("postgresql") if database.name == "postgresql" else None
    upgrade(database.url)
    async with instance(lab) as one:
        cms, proxy = await one.client("cms.mc2.lab"), await one.client("proxy1.mc2.lab")
        kept = await lend(cms, "kept")
        await asyncio.to_thread(back_up, lab, make_program, server)  # while the server runs
        lost = await lend(cms, "lost")
        version = (await proxy.get(CHANGES)).json()["version"]
        await proxy.put("/feed/v1/acknowledgement", json={"proxy": "proxy1.mc2.lab", "version": version})
    await asyncio.to_thread(bring_back, lab, make_program, server)
    require_consistent(database)
    async with instance(lab) as one:
        cms, proxy = await one.client("cms.mc2.lab"), await one.client("proxy1.mc2.lab")
        assert (await cms.get(f"/csc-x/v1/bindings/{lost['binding']}")).status_code == 404
        behind = (await cms.get(f"/csc-x/v1/bindings/{kept['binding']}")).json()["proxies_behind"]
        assert behind == ["proxy1.mc2.lab", "proxy2.mc2.lab"]
        other = await lend(cms, "other")
        page = (await proxy.get(CHANGES, params={"after": version})).json()
        assert page["reset"]
        assert [entry["binding"] for entry in page["entries"]] == [kept["binding"], other["binding"]]
        assert page["version"] > version
    async with instance(lab) as one:  # a start without a restore resets nobody
        proxy = await one.client("proxy1.mc2.lab")
        assert not (await proxy.get(CHANGES, params={"after": page["version"]})).json()["reset"]
