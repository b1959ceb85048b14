"""A bounded number of requests that begin something; one over it is refused at once."""

import asyncio

import httpx2
import pytest
from fastapi import FastAPI

from mmserver.http.access import RouteGroup
from mmserver.http.app import create_app
from mmserver.http.metrics import Metrics
from mmserver.http.readiness import Missing

BEGIN = "/csc-4/v1/begin"


class Gate:
    """A server whose requests wait until the gate is opened."""

    def __init__(self, in_progress_max: int) -> None:
        self.opened = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self.metrics = Metrics()
        app = create_app(
            title="T",
            description="D",
            groups=(RouteGroup.for_anybody("/csc-4"),),
            readiness=_ready,
            metrics=self.metrics,
            beginnings=(BEGIN,),
            in_progress_max=in_progress_max,
        )
        self._add_routes(app)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://cms.mc1.lab")

    def _add_routes(self, app: FastAPI) -> None:
        @app.post(BEGIN)
        async def begin() -> dict[str, bool]:
            self.waiting.release()
            await self.opened.wait()
            return {"begun": True}

        @app.post(BEGIN + "/confirm")
        async def confirm() -> dict[str, bool]:
            return {"confirmed": True}

        @app.get(BEGIN)
        async def poll() -> dict[str, bool]:
            return {"polled": True}


async def _ready() -> Missing | None:
    return None


async def test_one_over_the_limit_is_refused_at_once_and_told_when_to_come_again() -> None:
    """RFC 9110 §15.6.4: 503 with Retry-After, while the others are still in progress."""
    gate = Gate(2)
    async with asyncio.timeout(10), gate.client as client:
        two = [asyncio.create_task(client.post(BEGIN)) for _ in range(2)]
        for _ in two:
            await gate.waiting.acquire()
        third = await client.post(BEGIN)
        assert (third.status_code, third.headers["retry-after"]) == (503, "1")
        assert third.json()["type"] == "urn:mc-migration:problem:overloaded"
        assert not any(task.done() for task in two)
        gate.opened.set()
        assert [(await task).status_code for task in two] == [200, 200]
        assert (await client.post(BEGIN)).status_code == 200
        assert b"http_requests_overloaded_total 1.0" in await gate.metrics.expose()


async def test_what_ends_something_or_only_reads_is_never_refused() -> None:
    gate = Gate(1)
    async with asyncio.timeout(10), gate.client as client:
        one = asyncio.create_task(client.post(BEGIN))
        await gate.waiting.acquire()
        assert (await client.post(BEGIN + "/confirm")).json() == {"confirmed": True}
        assert (await client.get(BEGIN)).json() == {"polled": True}
        assert (await client.get("/health")).status_code == 200
        gate.opened.set()
        await one


async def test_a_request_whose_client_has_gone_counts_no_more() -> None:
    gate = Gate(1)
    async with asyncio.timeout(10), gate.client as client:
        one = asyncio.create_task(client.post(BEGIN))
        await gate.waiting.acquire()
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        gate.opened.set()
        assert (await client.post(BEGIN)).status_code == 200


async def test_a_flood_is_logged_in_few_lines(capfd: pytest.CaptureFixture[str]) -> None:
    gate = Gate(1)
    async with asyncio.timeout(30), gate.client as client:
        one = asyncio.create_task(client.post(BEGIN))
        await gate.waiting.acquire()
        for _ in range(50):
            assert (await client.post(BEGIN)).status_code == 503
        gate.opened.set()
        await one
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if "request.refused" in line]
    assert 1 <= len(lines) < 40
    assert "overloaded" in lines[0]
