"""Two MMS processes over one database, asked over HTTPS: they race, and they are killed at any moment."""

import asyncio
import random
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from mmserver.migration.schema.upgrade import upgrade
from tests import step_10
from tests.store_invariants import require_consistent

POOL = """
[allocation.partner]
mode = "pool"
sets = [{sets}]

[[partners]]"""
PATIENT = {"busy_timeout_s = 0.5": "busy_timeout_s = 10.0"}
USERS = 8
KILLS = 5
DEADLINE_S = 60.0


def pool(count: int) -> str:
    sets = ", ".join(
        f'{{private_user_identity="mig-{number}@ims.mc2.lab", public_user_identities=["sip:mig-{number}@ims.mc2.lab"]}}'
        for number in range(count)
    )
    return POOL.replace("{sets}", sets)


@pytest.fixture
def start(lab: Any, make_program: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    def started() -> Any:
        program = make_program()
        program.start(subprocess.DEVNULL)  # nobody reads what many requests write
        return program

    upgrade(lab.database.url)
    yield started


def client(lab: Any, program: Any, name: str = "cms.mc2.lab") -> httpx2.AsyncClient:
    context: ssl.SSLContext = lab.context(lab.credentials(name))
    return httpx2.AsyncClient(base_url=f"https://{program.listen[0]}", verify=context, timeout=20)


async def test_two_instances_that_race_lend_no_set_twice(lab: Any, start: Callable[[], Any]) -> None:
    """Each of 16 users is asked for at both at once; the pool has 10 sets."""
    lab.configure(**PATIENT, **{"\n[[partners]]": pool(10)})
    one, two = start(), start()
    async with client(lab, one) as first, client(lab, two) as second:
        calls = [
            cms.post(step_10.PATH, json=step_10.asked(f"user{user}")) for user in range(16) for cms in (first, second)
        ]
        responses = await asyncio.gather(*calls)
    lent: dict[int, set[str]] = {}
    for number, response in enumerate(responses):
        if response.status_code == 200:
            identities = response.json()["partner_mc_system_sip_identities"]
            lent.setdefault(number // 2, set()).add(identities["private_user_identity"])
        else:
            assert response.json()["type"].endswith(":no-free-partner-set"), response.text
    assert [len(sets) for sets in lent.values()] == [1] * 10  # both instances name the same set for a user
    assert len(set.union(*lent.values())) == 10
    require_consistent(lab.database)


class Traffic:
    """Users who come and go at whichever instance answers; notes what was promised."""

    def __init__(self, lab: Any, programs: list[Any]) -> None:
        self._lab = lab
        self._programs = programs
        self._random = random.Random(23280)
        self.answers = 0
        self.promised: dict[str, str] = {}
        self.failed = 0
        self.changed = asyncio.Event()
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def user(self, number: int) -> None:
        """Hold, confirm, disable, enable, release, for ever."""
        while True:
            held = await self._ask(step_10.PATH, step_10.asked(f"user{number}"))
            if held is None:
                continue
            handle = held["binding"]
            for action in ("confirm", "disable", "enable", "release"):
                done = await self._ask(f"/csc-x/v1/bindings/{handle}/{action}", {"reason": "traffic"})
                if done is None:
                    break  # the next request finds out what became of it
                self.promised[handle] = f"{done['state']} {done['enabled']}"

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        handle = path.split("/")[4] if "/bindings/" in path else None
        if handle is not None:
            self.promised.pop(handle, None)  # until it is answered either may hold
        try:
            response = await self._client(self._random.choice(self._programs)).post(path, json=body)
        except (httpx2.TransportError, OSError):
            self.failed += 1
            await asyncio.sleep(0.02)
            return None
        self.answers += 1
        self.changed.set()
        assert response.status_code in (200, 403, 404, 409, 503), response.text
        if response.status_code != 200:
            await self._give_back(path, body)
            return None
        answer: dict[str, Any] = response.json()
        return answer

    async def _give_back(self, path: str, body: dict[str, Any]) -> None:
        """A user left disabled by a cut-off ``disable`` is released, so that it may come again."""
        if path != step_10.PATH:
            return
        impi = body["primary_mc_system_sip_identities"]["private_user_identity"]
        cms = self._client(self._programs[0])
        try:
            found = await cms.get("/csc-x/v1/bindings", params={"private_user_identity": impi, "enabled": False})
            for binding in found.json():
                if binding["state"] != "quarantined":
                    self.promised.pop(binding["binding"], None)
                    await cms.post(f"/csc-x/v1/bindings/{binding['binding']}/release", json={})
        except (httpx2.TransportError, OSError):
            self.failed += 1

    def _client(self, program: Any) -> httpx2.AsyncClient:
        address = program.listen[0]
        if address not in self._clients:
            self._clients[address] = client(self._lab, program)
        return self._clients[address]

    async def close(self) -> None:
        """Close all connections."""
        for one in self._clients.values():
            await one.aclose()

    async def wait_for(self, answers: int) -> None:
        """Wait until so many more requests were answered."""
        wanted = self.answers + answers
        async with asyncio.timeout(DEADLINE_S):
            while self.answers < wanted:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def running() -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in ended if isinstance(one, Exception)] == []


async def test_instances_killed_at_any_moment_lose_nothing(
    lab: Any, start: Callable[[], Any], running: list["asyncio.Task[None]"]
) -> None:
    """SIGKILL while both work, now the one, now the other; what was answered holds, and nothing is half done."""
    lab.configure(**PATIENT)
    programs = [start(), start()]
    traffic = Traffic(lab, programs)
    running += [asyncio.create_task(traffic.user(number)) for number in range(USERS)]
    for kill in range(KILLS):
        await traffic.wait_for(5 + 3 * kill)
        killed = programs[kill % 2]
        killed.process.kill()
        killed.process.wait(10)
        require_consistent(lab.database)
        programs[kill % 2] = await asyncio.to_thread(start)
    await traffic.wait_for(20)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    running.clear()
    await traffic.close()
    require_consistent(lab.database)
    found = dict(lab.database.rows("SELECT handle, state FROM bindings"))
    enabled = dict(lab.database.rows("SELECT handle, enabled FROM bindings"))
    assert traffic.promised
    for handle, promise in traffic.promised.items():
        assert f"{found[handle]} {bool(enabled[handle])}" == promise, handle
    assert traffic.failed, "no request was under way when an instance was killed"
