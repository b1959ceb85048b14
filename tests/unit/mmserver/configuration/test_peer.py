"""One HTTP server that we ask."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from mmserver.configuration.peer import Peer, PeerNonsense, PeerRefused, PeerUnreachable
from mmserver.http.trace import trace
from mmserver.messages import Binding, BindingReason

PROBLEM = {"type": "urn:mc-migration:problem:no-free-partner-set", "title": "t", "status": 409, "step": "10.1.X.1-10"}
Handler = Callable[[httpx2.Request], Any]


def peer(handler: Handler, timeout_s: float = 5.0) -> Peer:
    context = ssl.create_default_context()
    return Peer("https://mms.mc1.lab", context, timeout_s, httpx2.MockTransport(handler))


async def test_an_answer_is_read_as_what_was_asked_for() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"reason": "x"})

    subject = peer(handler)
    answer = await subject.ask("POST", "/a", BindingReason, body=BindingReason(reason="y"), query={"q": "ä"})
    await subject.close()
    assert answer == BindingReason(reason="x")
    assert str(seen[0].url) == "https://mms.mc1.lab/a?q=%C3%A4"
    assert (seen[0].headers["content-type"], seen[0].content) == ("application/json", b'{"reason":"y"}')
    assert "traceparent" not in seen[0].headers


async def test_a_traceparent_goes_along() -> None:
    seen: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["traceparent"])
        return httpx2.Response(204)

    with trace() as current:
        await peer(handler).tell("POST", "/a", BindingReason())
    assert seen[0][:36] == current[:36]


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, content=b"junk"),
        httpx2.Response(200, json={"reason": "x", "more": 1}),
        httpx2.Response(200, json=[]),
        httpx2.Response(500, content=b"oops"),
        httpx2.Response(302, headers={"location": "https://evil.example/"}),
        httpx2.Response(409, content=b"{}", headers={"content-type": "application/problem+json"}),
        httpx2.Response(200, content=b"x" * (4 * 1024 * 1024 + 1)),
    ],
)
async def test_an_answer_that_was_not_asked_for_is_nonsense(response: httpx2.Response) -> None:
    with pytest.raises(PeerNonsense):
        await peer(lambda _: response).ask("GET", "/a", BindingReason)


async def test_problem_details_are_a_refusal() -> None:
    response = httpx2.Response(409, json=PROBLEM, headers={"content-type": "application/problem+json; charset=utf-8"})
    with pytest.raises(PeerRefused) as raised:
        await peer(lambda _: response).ask("GET", "/a", list[Binding])
    assert (raised.value.problem.status, raised.value.problem.step) == (409, "10.1.X.1-10")


async def test_no_connection_is_unreachable() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(PeerUnreachable, match="ConnectError"):
        await peer(refuse).ask("GET", "/a", BindingReason)


async def test_no_answer_in_time_is_unreachable() -> None:
    async def silent(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(60)
        return httpx2.Response(200)

    with pytest.raises(PeerUnreachable, match="no answer in"):
        await peer(silent, 0.01).ask("GET", "/a", BindingReason)


async def test_an_answer_that_trickles_is_unreachable_in_time() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b" "

    with pytest.raises(PeerUnreachable):
        await peer(lambda _: httpx2.Response(200, content=trickle()), 0.05).ask("GET", "/a", BindingReason)


async def test_a_document_is_fetched_as_json() -> None:
    assert await peer(lambda _: httpx2.Response(200, json={"a": 1})).get_json("https://idms.mc1.lab/jwks") == {"a": 1}
    for response in (
        httpx2.Response(404),
        httpx2.Response(200, content=b"["),
        httpx2.Response(200, content=b"[" * 99999),
    ):
        with pytest.raises(PeerNonsense):
            await peer(lambda _, answer=response: answer).get_json("https://idms.mc1.lab/jwks")


async def test_a_document_is_waited_for_as_long_as_the_caller_wants() -> None:
    async def silent(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    with pytest.raises(PeerUnreachable, match=r"no answer in 0\.01 s"):
        await peer(silent, 60.0).get_json("https://mms.mc1.lab/health", 0.01)


async def test_other_credentials_are_for_new_connections_and_close_ends_the_old_ones() -> None:
    subject = peer(lambda _: httpx2.Response(200, json={"reason": "x"}))
    await subject.ask("GET", "/a", BindingReason)
    first = subject._client()
    subject.exchange(ssl.create_default_context())
    assert subject._client() is not first
    assert not first.is_closed  # what is under way goes on over it
    await subject.close()
    assert first.is_closed
