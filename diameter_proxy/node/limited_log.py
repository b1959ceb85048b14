"""Warnings that others can cause, at most so many lines a second for each peer and reason; the rest is counted.

A peer that sends ten thousand bad requests a second writes ten lines and one that says how many more there were.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog

KEYS_MAX: Final = 256
WINDOW_S: Final = 1.0
_REST: Final = "many"


class LimitedLog:
    """A log for events with a peer and a reason; ``sweep`` says once a second what was left out."""

    def __init__(self, now: Callable[[], float], lines_per_s: int) -> None:
        self.suppressed_count = 0
        """Lines left out since the start."""
        self.lines_per_s = lines_per_s
        self._log: Final = structlog.get_logger()
        self._counts: dict[tuple[str, str, str], int] = {}
        self._now: Final = now
        self._until_s = 0.0

    def warning(self, event: str, *, peer: str, reason: str, **fields: Any) -> None:
        """Log the event, or count it when there were enough of this peer and reason in the present second."""
        if self._is_allowed(event, peer, reason):
            self._log.warning(event, peer=peer, reason=reason, **fields)

    def error(self, event: str, *, peer: str, reason: str, **fields: Any) -> None:
        """Log the event as an alarm, or count it."""
        if self._is_allowed(event, peer, reason):
            self._log.error(event, peer=peer, reason=reason, **fields)

    def sweep(self, now_s: float) -> None:
        """Say what was left out, once the second is over; to be called often."""
        if not self._counts or now_s < self._until_s:
            return
        counts, self._counts = self._counts, {}
        for (event, peer, reason), count in counts.items():
            left_out = count - self.lines_per_s
            if left_out > 0:
                self._log.warning("log.suppressed", of=event, peer=peer, reason=reason, lines=left_out)

    def _is_allowed(self, event: str, peer: str, reason: str) -> bool:
        if not self._counts:
            self._until_s = self._now() + WINDOW_S
        key = (event, peer, reason)
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= KEYS_MAX:
                key = (event, _REST, _REST)
            count = self._counts.get(key, 0)
        self._counts[key] = count + 1
        if count < self.lines_per_s:
            return True
        self.suppressed_count += 1
        return False
