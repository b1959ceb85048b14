"""W3C trace context: taken over when well formed, begun when not, passed on with a new parent."""

from typing import Any

import pytest
import structlog

from mmserver.http.trace import TraceContext, child_traceparent, current_traceparent, new_traceparent, trace

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def seen(*headers: str) -> tuple[str, str, Any]:
    found: list[Any] = []

    async def app(*_: Any) -> None:
        bound = structlog.contextvars.get_contextvars()
        found.append((current_traceparent(), child_traceparent(), bound.get("traceparent")))

    scope = {"type": "http", "headers": [(b"traceparent", value.encode("latin-1")) for value in headers]}
    await TraceContext(app)(scope, None, None)  # type: ignore[arg-type]
    return found[0]  # type: ignore[no-any-return]


async def test_a_callers_trace_is_taken_over_and_logged() -> None:
    assert (await seen(GOOD))[0] == GOOD
    assert (await seen(GOOD))[2] == GOOD


async def test_what_is_sent_on_is_the_same_trace_with_a_new_parent() -> None:
    _, child, _ = await seen(GOOD)
    assert child[:36] == GOOD[:36]
    assert child[36:52] != GOOD[36:52]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
        ["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
        ["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        [GOOD.upper()],
        [GOOD + "\n"],
        [GOOD, GOOD],
        ["\xe9" * 55],
    ],
)
async def test_anything_else_begins_a_trace(headers: list[str]) -> None:
    begun, _, _ = await seen(*headers)
    assert begun != GOOD
    assert (await seen(begun))[0] == begun


async def test_nothing_is_left_behind() -> None:
    await seen(GOOD)
    assert (current_traceparent(), child_traceparent()) == ("", "")
    assert "traceparent" not in structlog.contextvars.get_contextvars()
    assert new_traceparent() != new_traceparent()


async def test_other_than_http_passes() -> None:
    passed = []

    async def app(scope: Any, *_: Any) -> None:
        passed.append(scope["type"])

    await TraceContext(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert passed == ["lifespan"]


def test_work_without_a_request_begins_a_trace_of_its_own() -> None:
    with trace() as begun:
        assert (current_traceparent(), structlog.contextvars.get_contextvars()["traceparent"]) == (begun, begun)
    assert current_traceparent() == ""
