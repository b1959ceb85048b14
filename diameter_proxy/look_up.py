"""Look-ups on a miss inside our lent range: one in flight per identity, rate-capped, few parked requests.

The hot path never waits: a request is parked here until the MMS has answered (DESIGN: identity map).  Each class of
peer has its own share of the rate, so that a partner who guesses cannot keep our own CSCFs from look-ups.
"""

from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from diameter_proxy.routing import Source

T = TypeVar("T")


class Parking(Enum):
    """What became of a request that wants a look-up."""

    ASK = "first of its identity: ask the MMS"
    JOINED = "the MMS is being asked"
    REFUSED = "too many"


class LookUps(Generic[T]):
    """Parked requests by the identity that is being looked up."""

    def __init__(self, parked_max: int = 1000, rate_per_s: float = 500.0) -> None:
        self._parked_max = parked_max
        self._rate_per_s = rate_per_s
        self._tokens = dict.fromkeys(Source, rate_per_s)
        self._filled_s: dict[Source, float] = {}
        self._parked: dict[bytes, list[T]] = {}
        self.parked_count = 0

    def limit(self, parked_max: int, rate_per_s: float) -> None:
        """Hold other limits from now on."""
        self._parked_max, self._rate_per_s = parked_max, rate_per_s

    def park(self, identity: bytes, source: Source, request: T, now_s: float) -> Parking:
        """Park a request until its identity has been looked up."""
        if self.parked_count >= self._parked_max:
            return Parking.REFUSED
        others = self._parked.get(identity)
        if others is not None:
            others.append(request)
            self.parked_count += 1
            return Parking.JOINED
        if not self._take_token(source, now_s):
            return Parking.REFUSED
        self._parked[identity] = [request]
        self.parked_count += 1
        return Parking.ASK

    @property
    def waiting(self) -> tuple[bytes, ...]:
        """The identities that the MMS is being asked about."""
        return tuple(self._parked)

    def finish(self, identity: bytes) -> list[T]:
        """Return the requests that waited for this identity."""
        requests = self._parked.pop(identity, [])
        self.parked_count -= len(requests)
        return requests

    def drop(self, is_dropped: Callable[[T], bool]) -> None:
        """Forget the parked requests of which this is true; their identities are looked up all the same."""
        for identity, requests in self._parked.items():
            self._parked[identity] = [request for request in requests if not is_dropped(request)]
        self.parked_count = sum(map(len, self._parked.values()))

    def _take_token(self, source: Source, now_s: float) -> bool:
        passed_s = now_s - self._filled_s.get(source, now_s)
        self._filled_s[source] = now_s
        tokens = min(self._rate_per_s, self._tokens[source] + passed_s * self._rate_per_s)
        self._tokens[source] = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1
