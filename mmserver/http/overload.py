"""So many requests at once that begin something new, and no more: one over it is refused, not queued without end.

A queue that only grows answers everybody too late: those who wait have gone when their turn comes, and the work was for
nothing (RFC 9110 §15.6.4, §10.2.3).  What ends something that was begun (confirm, release) is never refused, so that a
server with too much to do still finishes what it has; nor is health, or a poll that waits.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from mmserver.http.limits import RateLimit
from mmserver.http.metrics import Metrics
from mmserver.http.problems import OVERLOADED, ProblemFound

LOG_LINES_PER_S: Final = 10
RETRY_AFTER_S: Final = 1

log = structlog.get_logger()


class Overload:
    """ASGI middleware: ``in_progress_max`` POSTs to the ``beginnings`` at one time."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        beginnings: frozenset[str],
        in_progress_max: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._beginnings = beginnings
        self._in_progress_max = in_progress_max
        self._in_progress = 0
        self._clock = clock
        self._log_limit = RateLimit(LOG_LINES_PER_S, LOG_LINES_PER_S, 1)
        self._refused = metrics.counter("http_requests_overloaded", "Requests refused with 503: too many at once.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it.

        Raises:
            ProblemFound: 503 ``overloaded``.
        """
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._beginnings:
            await self._app(scope, receive, send)
            return
        if self._in_progress >= self._in_progress_max:
            raise self._refusal(scope["path"])
        self._in_progress += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_progress -= 1

    def _refusal(self, path: str) -> ProblemFound:
        self._refused.add()
        if self._log_limit.admits("", self._clock()):
            log.warning("request.refused", problem=OVERLOADED.name, path=path, in_progress=self._in_progress)
        detail = f"{self._in_progress} requests are in progress; try again later"
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return ProblemFound(OVERLOADED.status, OVERLOADED.name, OVERLOADED.title, detail, headers=headers)
