"""Can a server serve?  What is missing has a problem type of its own; a store is tried with a real write.

The write changes nothing and is committed.  It is tried at most once in ``AGE_S``, however many ask and how often,
takes its turn among the other writers, and has a deadline, with all else that is asked of the store: a probe adds no
load that matters and never hangs.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from mmserver.http.problems import ProblemKind

AGE_S: Final = 2.0
WITHIN_S: Final = 2.0

# fmt: off
STORE: Final = ProblemKind(503, "store-unavailable", "The store cannot be used now", detail="database or disk is full")
SCHEMA: Final = ProblemKind(503, "schema-outdated", "The store has another version's schema", detail="run `upgrade`")
PROXIES: Final = ProblemKind(503, "no-diameter-proxy", "No Diameter proxy is connected", detail="none of proxy1")
MMS: Final = ProblemKind(503, "mms-unreachable", "The migration management server does not answer")
KINDS: Final = (STORE, SCHEMA, PROXIES, MMS)
# fmt: on


class Missing(NamedTuple):
    """What keeps a server from serving."""

    kind: ProblemKind
    detail: str


ReadinessCheck = Callable[[], Awaitable[Missing | None]]
"""Returns what is missing, or None when the program can serve."""


class WriteProbe:
    """Says whether a store takes a write; everybody who asks meanwhile shares one attempt and its outcome."""

    def __init__(
        self,
        write: Callable[[], Awaitable[None]],
        failures: Mapping[type[Exception], ProblemKind],
        *,
        within_s: float = WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``write`` commits what changes nothing, or raises one of ``failures``: the first that fits is told."""
        self._write = write
        self._failures = failures
        self._within_s = within_s
        self._clock = clock
        self._tried_at: float | None = None
        self._outcome: Missing | None = None
        self._under_way: asyncio.Task[None] | None = None

    async def missing(self) -> Missing | None:
        """Return why the store takes no write, or None."""
        if self._under_way is None and (self._tried_at is None or self._clock() - self._tried_at >= AGE_S):
            self._under_way = asyncio.get_running_loop().create_task(self._try())
        if self._under_way is not None:
            await asyncio.shield(self._under_way)  # who asked may go away, the others still wait
        return self._outcome

    async def close(self) -> None:
        """End an attempt that is under way; its transaction is taken back."""
        if self._under_way is not None:
            self._under_way.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._under_way

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                await self._write()
            self._outcome = None
        except TimeoutError:
            self._outcome = _missing(STORE, f"no write within {self._within_s:g} s")
        except tuple(self._failures) as exc:
            kind = next(kind for failure, kind in self._failures.items() if isinstance(exc, failure))
            self._outcome = _missing(kind, str(exc))
        finally:
            self._tried_at, self._under_way = self._clock(), None


def _missing(kind: ProblemKind, why: str) -> Missing:
    hint = ": disk full, read-only, or the database gone?" if kind is STORE else ""
    return Missing(kind, f"store: {why}{hint}")
