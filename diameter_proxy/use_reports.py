"""Tells the MMS which primary migration sets were used for the first time (TS 23.280 CR, 10.6.2 step 9).

The MMS gives back what nobody used; it must never do so because a report was lost.  So each report says for how long
back it is complete: since this process began, or since a use was dropped because too many waited.  A use is told once;
what the MMS did not take is told again, for as long as it takes.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from diameter_proxy.feed_page import FeedError

WAITING_MAX: Final = 10_000
TOLD_MAX: Final = 100_000
BATCH_MAX: Final = 1000
EVERY_S: Final = 15.0
"""Without anything to tell we say that: the MMS trusts a proxy for a minute."""
PAUSE_S: Final = 0.2
RETRY_S: Final = 0.5
RETRY_MAX_S: Final = 10.0

Send = Callable[[str, str, dict[str, Any]], Awaitable[None]]


class UseReports:
    """First uses that the MMS has not been told yet, and those that it has."""

    def __init__(self, proxy: str, send: Send, clock: Callable[[], float]) -> None:
        """Take who we are, what raises FeedError when the MMS takes nothing, and a clock that only goes forward."""
        self._proxy: Final = proxy
        self._send: Final = send
        self._clock: Final = clock
        self._told: Final[set[str]] = set()
        self._waiting: Final[dict[str, None]] = {}
        self._complete_from_s = clock()
        self._woken: Final = asyncio.Event()
        self._is_failing = False
        self._log: Final = structlog.get_logger()

    def note(self, binding: str) -> None:
        """Take note of a use; to be called for each vector that goes to a partner."""
        if binding in self._told:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._complete_from_s = self._clock()  # dropped: what we say is complete from here on only
            return
        if len(self._told) >= TOLD_MAX:
            self._told.clear()  # some are told twice: that changes nothing
            self._told.update(self._waiting)
        self._told.add(binding)
        self._waiting[binding] = None
        self._woken.set()

    def take_over(self, other: "UseReports") -> None:
        """Go on where the reports of a feed that is exchanged have ended: nothing is lost, nothing told twice."""
        self._told.update(other._told)
        self._waiting.update(other._waiting)
        self._complete_from_s = other._complete_from_s

    async def run(self) -> None:
        """Report until cancelled: a first use at once, and every ``EVERY_S`` that there was none."""
        retry_s = RETRY_S
        while True:
            self._woken.clear()
            try:
                await self.report()
            except FeedError as exc:
                if not self._is_failing:
                    self._log.warning("uses.refused", reason=str(exc), waiting=len(self._waiting))
                self._is_failing = True
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            if self._is_failing:
                self._log.info("uses.resumed", waiting=len(self._waiting))
            self._is_failing, retry_s = False, RETRY_S
            await asyncio.sleep(PAUSE_S)  # many at once go together
            if not self._waiting:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), EVERY_S)

    async def report(self) -> None:
        """Tell the oldest that wait, and whether that is all.

        Raises:
            FeedError: the MMS did not take it; they go on waiting.
        """
        batch = list(self._waiting)[:BATCH_MAX]
        complete_for_s = self._clock() - self._complete_from_s if len(batch) == len(self._waiting) else None
        body = {"proxy": self._proxy, "bindings": batch, "complete_for_s": complete_for_s}
        await self._send("PUT", "/uses", body)
        for binding in batch:
            del self._waiting[binding]
