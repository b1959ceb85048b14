"""Who may call which routes: a group of routes per path prefix, deny by default.

The client's names come from its TLS certificate (``server.PeerCertificateProtocol``).  The check runs before a body is
read, so a stranger costs one look at a table.  It also holds each body to a limit.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diameter_proxy.node.limited_log import WINDOW_S, LimitedLog
from mmserver.http.limits import RateLimit
from mmserver.http.problems import TYPE_PREFIX, ProblemFound, problem_response
from mmserver.messages import Problem

BODY_OCTETS_MAX: Final = 256 * 1024
LOG_LINES_PER_S: Final = 10
"""Lines a second about one caller who is refused at one group of routes, as the Diameter proxy has it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RouteGroup:
    """Routes under ``prefix``: open to these client names, or to anybody (``None``: another check does it)."""

    prefix: str
    clients: frozenset[str] | None
    body_octets_max: int | None = None
    rate: RateLimit | None = None

    @classmethod
    def for_clients(
        cls, prefix: str, names: Iterable[str], *, body_octets_max: int | None = None, rate: RateLimit | None = None
    ) -> "RouteGroup":
        """Return a group open to these client names only, with limits of its own: octets of bodies, a rate of each."""
        return cls(prefix, frozenset(name.lower() for name in names), body_octets_max, rate)

    @classmethod
    def for_anybody(cls, prefix: str) -> "RouteGroup":
        """Return a group that asks for no client certificate: health, documentation, bearer tokens."""
        return cls(prefix, None)

    def holds(self, path: str) -> bool:
        """Say whether ``path`` is this prefix or lies below it."""
        return path == self.prefix or path.startswith(self.prefix.rstrip("/") + "/")


def client_names(request: Request) -> frozenset[str]:
    """Return the verified names of the TLS client that sent ``request``; none without a certificate."""
    return _names_in(request.scope)


class RefusalLog:
    """The lines ``client.refused``: so many a second of one caller, then ``log.suppressed`` with how many more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._log = LimitedLog(clock, LOG_LINES_PER_S)
        self._timer: asyncio.TimerHandle | None = None

    def refused(self, scope: Scope, what: str) -> None:
        """Write that the caller of this request was refused ``what``, or count it; in the event loop only."""
        self._log.sweep(self._clock())
        names, client = sorted(_names_in(scope)), scope.get("client")
        self._log.warning(
            "client.refused", peer=_caller(scope), reason=what, path=scope["path"], client_names=names, client=client
        )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(2 * WINDOW_S, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        self._log.sweep(self._clock())


class AccessControl:
    """ASGI middleware: route groups, body limit, and the one boundary where an unforeseen exception ends."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        groups: tuple[RouteGroup, ...],
        body_octets_max: int = BODY_OCTETS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._groups = sorted(groups, key=lambda group: len(group.prefix), reverse=True)
        self._body_octets_max = body_octets_max
        self._clock = clock
        self._refusals = RefusalLog(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        group = next((group for group in self._groups if group.holds(path)), None)
        problem = self._refusal(scope, group)
        if problem is not None:
            await problem_response(problem)(scope, receive, send)
            return
        too_often = self._too_often(scope, group)
        if too_often is not None:
            await problem_response(too_often.problem, too_often.headers)(scope, receive, send)
            return
        limit = group.body_octets_max if group is not None else None
        await self._guarded(scope, receive, send, limit or self._body_octets_max)

    def _refusal(self, scope: Scope, group: RouteGroup | None) -> Problem | None:
        if group is None:
            return Problem(type=TYPE_PREFIX + "not-found", title="Not Found", status=404)
        if group.clients is None or _names_in(scope) & group.clients:
            return None
        self._refusals.refused(scope, group.prefix)
        return Problem(
            type=TYPE_PREFIX + "client-not-allowed",
            title="This client may not call this operation",
            status=403,
            detail=f"the client certificate names nobody who may call {group.prefix}",
        )

    def _too_often(self, scope: Scope, group: RouteGroup | None) -> ProblemFound | None:
        if group is None or group.rate is None:
            return None
        try:
            group.rate.admit(_caller(scope), self._clock())
        except ProblemFound as exc:
            self._refusals.refused(scope, f"over the rate of {group.prefix}")
            return exc
        return None

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        started = False
        octets = 0
        too_large: ProblemFound | None = None

        async def receive_limited() -> Message:
            nonlocal octets, too_large
            message = await receive()
            octets += len(message.get("body", b""))
            if octets > limit:
                too_large = ProblemFound(413, "body-too-large", "The body is too large", f"at most {limit} octets")
                raise too_large
            return message

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            # FastAPI makes a 400 of whatever its body reader raises: our own answer follows below.
            if too_large is not None and not started:
                return
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive_limited, send_noting_start)
            if too_large is not None and not started:
                raise too_large
        except ProblemFound as exc:
            await problem_response(exc.problem, exc.headers)(scope, receive, send)
        except Exception:  # one request is a boundary (ARCHITECTURE.md): answer, log once, go on
            log.exception("request.failed", path=scope["path"], method=scope["method"])
            if not started:
                problem = Problem(type=TYPE_PREFIX + "internal-error", title="Internal Server Error", status=500)
                await problem_response(problem)(scope, receive, send)


def _caller(scope: Scope) -> str:
    return ",".join(sorted(_names_in(scope))) or str((scope.get("client") or ("",))[0])


def _names_in(scope: Scope) -> frozenset[str]:
    tls: dict[str, Any] = scope.get("extensions", {}).get("tls", {})
    names: frozenset[str] = tls.get("client_names", frozenset())
    return names
