"""A bounded memory whose entries lapse: authorization codes, refresh tokens, seen assertions.

Time is an argument.  When it is full, ``remember`` either forgets the oldest entry (a code: the user asks
again) or refuses (a seen ``jti``: forgetting it would admit a replay).
"""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class MemoryFull(Exception):
    """Every entry is still wanted."""


class LapsingMemory(Generic[Value]):
    """Entries by key, at most ``entries_max``, each until its own time."""

    def __init__(self, entries_max: int, *, forget_oldest: bool) -> None:
        self._entries_max = entries_max
        self._forget_oldest = forget_oldest
        self._entries: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def remember(self, key: str, value: Value, until: float, now: float) -> None:
        """Keep ``value`` under ``key`` until the time ``until``.

        Raises:
            MemoryFull: no entry has lapsed and none may be forgotten.
        """
        self._entries.pop(key, None)
        if len(self._entries) >= self._entries_max:
            self._sweep(now)
        if len(self._entries) >= self._entries_max:
            if not self._forget_oldest:
                raise MemoryFull
            self._entries.popitem(last=False)
        self._entries[key] = (until, value)

    def recall(self, key: str, now: float) -> Value | None:
        """Return the value under ``key`` unless it has lapsed."""
        until, value = self._entries.get(key, (now, None))
        return value if until > now else None

    def take(self, key: str, now: float) -> Value | None:
        """Return the value under ``key`` and forget it: it serves once."""
        value = self.recall(key, now)
        self._entries.pop(key, None)
        return value

    def _sweep(self, now: float) -> None:
        for key in [key for key, (until, _) in self._entries.items() if until <= now]:
            del self._entries[key]
