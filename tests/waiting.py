"""Wait for what comes about in its own time, and say so when it does not."""

import asyncio
import time
from collections.abc import Callable

WITHIN_S = 60.0


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Return when the condition holds; the test fails when it does not in so many seconds."""
    due = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < due, f"it did not come about in {within_s:g} s"
        await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    """Say whether the condition holds, at the latest after so many seconds; for tests of processes, without a loop."""
    due = time.monotonic() + within_s
    while time.monotonic() < due:
        if condition():
            return True
        time.sleep(0.1)
    return condition()
