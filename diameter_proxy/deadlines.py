"""Deadlines of what is under way, in one queue that is swept every 50 ms: no timer per message.

Time is a number that the caller gives.  What was settled before its deadline stays in the queue and is handed out
all the same; the caller knows.
"""

from typing import Final, Generic, TypeVar

T = TypeVar("T")
TICK_S: Final = 0.05
_NEVER: Final = -1


class DeadlineQueue(Generic[T]):
    """Things by the tick in which their time is up; never handed out before it, at most a tick after it."""

    def __init__(self) -> None:
        self._by_tick: dict[int, list[T]] = {}
        self._swept = _NEVER

    def add(self, due_s: float, thing: T) -> None:
        """Put a thing in, to be handed out when ``due_s`` has passed."""
        tick = int(due_s / TICK_S) + 1
        if tick <= self._swept:
            tick = self._swept + 1
        things = self._by_tick.get(tick)
        if things is None:
            self._by_tick[tick] = [thing]
        else:
            things.append(thing)

    def sweep(self, now_s: float) -> list[T]:
        """Return what is due, in order of its tick."""
        current = int(now_s / TICK_S)
        due: list[T] = []
        first = self._swept + 1
        is_soon = self._swept != _NEVER and current - first < 64
        for tick in range(first, current + 1) if is_soon else sorted(t for t in self._by_tick if t <= current):
            due += self._by_tick.pop(tick, ())
        self._swept = max(current, self._swept)
        return due

    def __len__(self) -> int:
        return sum(map(len, self._by_tick.values()))
