"""PostgreSQL's primary dies under a running MMS, a stand-by takes over: no restart, and no reader goes astray."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from mmserver.migration.schema.upgrade import upgrade
from tests import step_10
from tests.databases import Database
from tests.replication import Server, both
from tests.store_invariants import require_consistent
from tests.waiting import until

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
CHANGES = "/feed/v1/changes"
DEADLINE_S = 60.0


class Asking:
    """A CMS and a proxy at the one MMS, that ask again until they are served."""

    def __init__(self, lab: Any, program: Any) -> None:
        self.cms, self.proxy = (
            httpx2.AsyncClient(
                base_url=f"https://{program.listen[0]}", verify=lab.context(lab.credentials(name)), timeout=30
            )
            for name in ("cms.mc2.lab", "proxy1.mc2.lab")
        )

    async def lend(self, user: str) -> str:
        """Return the handle of a binding that was confirmed with 200."""
        held = await self._served(lambda: self.cms.post(step_10.PATH, json=step_10.asked(user)))
        handle: str = held.json()["binding"]
        confirmed = await self._served(lambda: self.cms.post(f"/csc-x/v1/bindings/{handle}/confirm", json={}))
        if confirmed.status_code == 404:  # the hold was not answered in time, or is lost with the primary
            return await self.lend(user)
        assert confirmed.status_code == 200, confirmed.text
        return handle

    async def changes(self, after: int, wait_s: float = 0.0) -> dict[str, Any]:
        query = {"after": after, "wait_s": wait_s}
        page: dict[str, Any] = (await self._served(lambda: self.proxy.get(CHANGES, params=query))).json()
        return page

    async def reset_of(self, version: int) -> dict[str, Any]:
        """Return the page that tells a reader at ``version`` to forget what it has."""
        async with asyncio.timeout(DEADLINE_S):
            while not (page := await self.changes(version, 1.0))["reset"]:
                pass
            return page

    async def _served(self, ask: Callable[[], Any]) -> httpx2.Response:
        async with asyncio.timeout(DEADLINE_S):
            while (answer := await ask()).status_code == 503:
                assert answer.json()["type"] == "urn:mc-migration:problem:store-unavailable"
                await asyncio.sleep(0.02)
            return answer  # type: ignore[no-any-return]


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start(lab: Any, program: Any, servers: ExitStack, postgresql: Any) -> Callable[..., tuple[Server, Server, Any]]:
    """Start a primary, a stand-by that follows it, and the MMS over both, in that order of its URL."""

    def started(**settings: str) -> tuple[Server, Server, Any]:
        upgrade(lab.database.url)
        primary = Server(postgresql, **settings)
        servers.callback(primary.close)
        stand_by = Server(primary, is_stand_by=True)
        servers.callback(stand_by.close)
        lab.configure(**{lab.database.url: both(lab.database, primary, stand_by)})
        program.start()
        return primary, stand_by, program

    return started


@pytest.fixture
async def asking_of(lab: Any) -> AsyncIterator[Callable[[Any], Asking]]:
    made: list[Asking] = []

    def make(program: Any) -> Asking:
        made.append(Asking(lab, program))
        return made[-1]

    yield make
    for asking in made:
        await asking.cms.aclose()
        await asking.proxy.aclose()


async def test_nothing_that_was_confirmed_is_lost_when_a_synchronous_stand_by_takes_over(
    lab: Any, start: Callable[..., Any], asking_of: Callable[[Any], Asking]
) -> None:
    primary, stand_by, program = await asyncio.to_thread(lambda: start(waits_for="*"))
    asking = asking_of(program)
    confirmed: list[str] = []

    async def traffic(of: int) -> None:
        number = 0
        while True:
            confirmed.append(await asking.lend(f"user{of}-{number}"))
            number += 1

    async def wait_for(count: int) -> None:
        await until(lambda: len(confirmed) >= count)

    users = [asyncio.create_task(traffic(of)) for of in range(4)]
    await wait_for(10)
    version = (await asking.changes(0))["version"]
    began = time.monotonic()
    await asyncio.to_thread(primary.stop)
    before = len(confirmed)
    await asyncio.to_thread(stand_by.promote)
    await wait_for(before + 10)
    for user in users:
        user.cancel()
    await asyncio.gather(*users, return_exceptions=True)
    print(f"confirmed {before} before and 10 after within {time.monotonic() - began:.1f} s")
    assert program.process.poll() is None
    promoted = Database(stand_by.url(lab.database))
    found = dict(promoted.rows("SELECT handle, state FROM bindings"))
    assert {handle: found.get(handle) for handle in confirmed} == dict.fromkeys(confirmed, "allocated")
    require_consistent(promoted)
    assert set(confirmed) <= {entry["binding"] for entry in (await asking.reset_of(version))["entries"]}


async def test_a_proxy_reads_everything_again_after_a_stand_by_that_lagged_took_over(
    lab: Any, start: Callable[..., Any], asking_of: Callable[[Any], Asking]
) -> None:
    """What was lost and what took its place have the same versions: only the new life tells the proxy."""
    primary, stand_by, program = await asyncio.to_thread(start)
    asking = asking_of(program)
    kept = await asking.lend("kept")
    promoted = Database(stand_by.url(lab.database))
    await until(lambda: promoted.rows("SELECT handle, state FROM bindings") == [(kept, "allocated")])
    of_both = (await asking.changes(0))["version"]
    await asyncio.to_thread(stand_by.stop)  # it is cut off
    lost = await asking.lend("lost")
    version = (await asking.changes(0))["version"]
    await asyncio.to_thread(primary.stop)
    await asyncio.to_thread(stand_by.start)
    await asyncio.to_thread(stand_by.promote)
    assert (await asking.reset_of(of_both))["entries"][0]["binding"] == kept  # found out by itself: nobody wrote
    other = await asking.lend("other")
    page = await asking.changes(version)
    assert page["reset"]
    assert [entry["binding"] for entry in page["entries"]] == [kept, other]
    assert (await asking.cms.get(f"/csc-x/v1/bindings/{lost}")).status_code == 404
    behind = (await asking.cms.get(f"/csc-x/v1/bindings/{kept}")).json()["proxies_behind"]
    assert behind == ["proxy1.mc2.lab", "proxy2.mc2.lab"]
    assert program.process.poll() is None
    require_consistent(promoted)
