"""Route groups: deny by default, by the verified names of the client."""

import asyncio
from typing import Any

import pytest
import structlog
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from mmserver.http.access import LOG_LINES_PER_S, AccessControl, RefusalLog, RouteGroup, client_names
from mmserver.http.limits import RateLimit

GROUPS = (
    RouteGroup.for_clients("/csc-x", ["cms.mc1.lab"]),
    RouteGroup.for_clients("/csc-x/admin", ["admin.mc1.lab"]),
    RouteGroup.for_anybody("/health"),
)


def client(*names: str) -> TestClient:
    app = FastAPI()
    app.add_middleware(AccessControl, groups=GROUPS, body_octets_max=10, clock=lambda: 0.0)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def anything(request: Request, path: str) -> dict[str, Any]:
        if path == "csc-x/broken":
            raise RuntimeError("boom")
        return {"names": sorted(client_names(request)), "octets": len(await request.body())}

    async def with_names(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("extensions", {})["tls"] = {"client_names": frozenset(names)}
        await app(scope, receive, send)

    return TestClient(with_names)


@pytest.mark.parametrize(
    ("names", "path", "status"),
    [
        (("cms.mc1.lab",), "/csc-x/v1/bindings", 200),
        (("cms.mc1.lab",), "/csc-x", 200),
        (("cms.mc1.lab",), "/csc-xyz", 404),
        (("cms.mc2.lab",), "/csc-x/v1/bindings", 403),
        ((), "/csc-x/v1/bindings", 403),
        (("cms.mc1.lab",), "/csc-x/admin/x", 403),
        (("admin.mc1.lab",), "/csc-x/admin/x", 200),
        (("admin.mc1.lab",), "/csc-x/v1", 403),
        ((), "/health", 200),
        (("cms.mc1.lab",), "/elsewhere", 404),
        (("cms.mc1.lab",), "/", 404),
    ],
)
def test_who_may_call_what(names: tuple[str, ...], path: str, status: int) -> None:
    response = client(*names).get(path)
    assert response.status_code == status
    assert (response.headers["content-type"] == "application/problem+json") == (status != 200)


def test_the_handler_learns_the_name() -> None:
    assert client("cms.mc1.lab").get("/csc-x/v1").json()["names"] == ["cms.mc1.lab"]


def test_a_body_over_the_limit_is_413() -> None:
    assert client("cms.mc1.lab").post("/csc-x/v1", content=b"x" * 10).status_code == 200
    response = client("cms.mc1.lab").post("/csc-x/v1", content=b"x" * 11)
    assert (response.status_code, response.json()["type"]) == (413, "urn:mc-migration:problem:body-too-large")


def test_an_unforeseen_exception_is_500_without_a_traceback() -> None:
    response = client("cms.mc1.lab").get("/csc-x/broken")
    assert (response.status_code, response.json()["type"]) == (500, "urn:mc-migration:problem:internal-error")
    assert "boom" not in response.text


def test_a_caller_who_is_refused_again_and_again_does_not_fill_the_log() -> None:
    stranger = client("stranger.mc1.lab")
    with structlog.testing.capture_logs() as events:
        answers = [stranger.get("/csc-x/x").status_code for _ in range(LOG_LINES_PER_S * 5)]
    refused = [event for event in events if event["event"] == "client.refused"]
    assert set(answers) == {403}
    assert len(refused) == LOG_LINES_PER_S
    with structlog.testing.capture_logs() as events:
        stranger.get("/csc-x/admin/x")
    assert [event["event"] for event in events] == ["client.refused"]  # another group has lines of its own


def test_each_caller_has_a_rate_and_is_told_when_to_come_back() -> None:
    app = FastAPI()

    @app.get("/feed/x")
    async def feed() -> None:
        return None

    names = ("proxy1.mc1.lab", "proxy2.mc1.lab")
    group = RouteGroup.for_clients("/feed", names, rate=RateLimit(0.5, 2, 10))
    now = 100.0
    controlled = AccessControl(app, groups=(group,), clock=lambda: now)

    def ask(name: str) -> Any:
        async def as_client(scope: Any, receive: Any, send: Any) -> None:
            await controlled({**scope, "extensions": {"tls": {"client_names": frozenset({name})}}}, receive, send)

        return TestClient(as_client).get("/feed/x")

    assert [ask(names[0]).status_code for _ in range(2)] == [200, 200]
    with structlog.testing.capture_logs() as events:
        refused = ask(names[0])
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:mc-migration:problem:too-many-requests")
    assert refused.headers["Retry-After"] == "2"
    assert [(event["event"], event["reason"]) for event in events] == [("client.refused", "over the rate of /feed")]
    assert ask(names[1]).status_code == 200
    now += 2.0
    assert ask(names[0]).status_code == 200


def scope(path: str, *names: str) -> dict[str, Any]:
    return {"path": path, "client": ("10.0.0.1", 4711), "extensions": {"tls": {"client_names": frozenset(names)}}}


async def test_what_was_left_out_is_said_a_second_later() -> None:
    """By the next refusal, or by itself when there is none."""
    now = 100.0
    refusals = RefusalLog(lambda: now)
    with structlog.testing.capture_logs() as events:
        for _ in range(LOG_LINES_PER_S + 7):
            refusals.refused(scope("/csc-x/x", "cms.mc9.lab"), "/csc-x")
        now += 1.1
        refusals.refused(scope("/csc-x/x"), "/csc-x")
    left_out, last = events[LOG_LINES_PER_S:]
    assert {event["event"] for event in events[:LOG_LINES_PER_S]} == {"client.refused"}
    assert (left_out["event"], left_out["of"], left_out["lines"]) == ("log.suppressed", "client.refused", 7)
    assert (left_out["peer"], left_out["reason"]) == ("cms.mc9.lab", "/csc-x")
    assert (last["event"], last["peer"]) == ("client.refused", "10.0.0.1")


async def test_what_was_left_out_is_said_though_nobody_comes_any_more() -> None:
    said = asyncio.Event()

    def note(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        if event["event"] == "log.suppressed":
            said.set()
        raise structlog.DropEvent

    refusals = RefusalLog()
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[note])
    try:
        for _ in range(LOG_LINES_PER_S + 1):
            refusals.refused(scope("/csc-x/x"), "/csc-x")
        await asyncio.wait_for(said.wait(), 30)
    finally:
        structlog.configure(processors=processors)
