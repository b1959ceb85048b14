"""Counts the requests that were answered, by operation and status, and how long each took."""

import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmserver.http.metrics import Metrics

UNKNOWN: Final = "none"


class Observation:
    """ASGI middleware around all others but the trace context."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.counter("http_requests", "Requests answered.", "operation", "status")
        self._seconds = metrics.histogram("http_request_seconds", "From a request to its answer.", "operation")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = UNKNOWN

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = time.monotonic()
        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            operation = _operation(scope)
            self._requests.add(operation, status)
            self._seconds.observe(time.monotonic() - started, operation)


def _operation(scope: Scope) -> str:
    """Return the operation's name; a path that is none of ours has none, so that nobody can make up labels."""
    route: Any = scope.get("route")
    return getattr(route, "operation_id", None) or UNKNOWN
