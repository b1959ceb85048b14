"""W3C trace context (``traceparent``): one number that follows a request from the UE to the audit trail.

What a caller sends is taken over when it is well formed and made here when not; the rest of the process reads it from a
context variable, so that no rule has to carry it along.  Only the header's own format is judged.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER: Final = "traceparent"
_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar(HEADER, default="")


def current_traceparent() -> str:
    """Return the trace context of the request under way, or an empty text outside of one."""
    return _current.get()


def child_traceparent() -> str:
    """Return the trace context to send on: the same trace, a new parent; empty outside of a request."""
    current = _current.get()
    if not current:
        return ""
    _version, trace, _parent, flags = current.split("-")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def new_traceparent() -> str:
    """Return the beginning of a trace that nobody has begun."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


@contextlib.contextmanager
def trace(traceparent: str | None = None) -> Iterator[str]:
    """Work within a trace, a new one unless told, that every event of the log names."""
    current = traceparent or new_traceparent()
    token = _current.set(current)
    try:
        with structlog.contextvars.bound_contextvars(traceparent=current):
            yield current
    finally:
        _current.reset(token)


class TraceContext:
    """ASGI middleware: each request runs in its trace, and every event of its log names it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the header, or begin a trace; pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with trace(_header_of(scope)):
            await self._app(scope, receive, send)


def _header_of(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == HEADER.encode()]
    if len(found) != 1:
        return None
    text = found[0].decode("latin-1")
    return text if _FORM.fullmatch(text) else None
