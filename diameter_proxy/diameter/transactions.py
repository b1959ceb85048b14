"""Requests that wait for their answers: by Hop-by-Hop Identifier, each with a deadline (RFC 6733 §3, §5.5.4)."""

from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HOP_BY_HOP_MAX: Final = 0xFFFFFFFF


class HopByHop:
    """Hop-by-Hop Identifiers of one connection: each is new there, from a random start (RFC 6733 §3)."""

    def __init__(self, start: int) -> None:
        self._last = start & HOP_BY_HOP_MAX

    def next(self) -> int:
        """Return the next identifier."""
        self._last = (self._last + 1) & HOP_BY_HOP_MAX
        return self._last

    def reserve(self, count: int) -> int:
        """Return the first of as many identifiers in a row, for the caller alone."""
        first = (self._last + 1) & HOP_BY_HOP_MAX
        self._last = (self._last + count) & HOP_BY_HOP_MAX
        return first


class EndToEnd:
    """End-to-End Identifiers of one node: twelve bits of time, twenty of chance, then one more each (RFC 6733 §3)."""

    def __init__(self, time_s: int, chance: int) -> None:
        self._last = (time_s & 0xFFF) << 20 | chance & 0xFFFFF

    def next(self) -> int:
        """Return the next identifier."""
        self._last = (self._last + 1) & HOP_BY_HOP_MAX
        return self._last


class PendingRequests(Generic[T]):
    """What waits for an answer on one connection; deadlines lie in one queue, not in a timer each."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, T]] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, hop_by_hop: int, value: T, due: float) -> None:
        """Remember a request until it is taken or ``due`` has come."""
        self._waiting[hop_by_hop] = (due, value)
        heappush(self._deadlines, (due, hop_by_hop))

    def take(self, hop_by_hop: int) -> T | None:
        """Forget the request with this identifier and return what was remembered; None when there is none."""
        found = self._waiting.pop(hop_by_hop, None)
        return None if found is None else found[1]

    def expired(self, now: float) -> list[T]:
        """Forget all whose deadline has come and return what was remembered, earliest first."""
        expired: list[T] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            due, hop_by_hop = heappop(self._deadlines)
            found = self._waiting.get(hop_by_hop)
            if found is not None and found[0] == due:
                del self._waiting[hop_by_hop]
                expired.append(found[1])
        return expired

    def drain(self) -> list[T]:
        """Forget all and return what was remembered: the connection is gone."""
        values = [value for _, value in self._waiting.values()]
        self._waiting.clear()
        self._deadlines.clear()
        return values
