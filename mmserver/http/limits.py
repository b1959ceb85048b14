"""How often one caller may ask: a token bucket per caller, a bounded number of callers.  Time is an argument."""

import math
from collections import OrderedDict
from typing import Final

from mmserver.http.problems import ProblemFound

CALLERS_MAX: Final = 1000
"""Of callers who are known by a certificate of ours there are few."""


class RateLimit:
    """``rate_per_s`` requests a second and ``burst`` at once, for each of ``callers_max`` callers."""

    def __init__(self, rate_per_s: float, burst: int, callers_max: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._callers_max = callers_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, caller: str, now: float) -> bool:
        """Say whether the caller may ask now, and count it."""
        left, since = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - since) * self._rate_per_s)
        admitted = left >= 1.0
        self._buckets[caller] = (left - 1.0 if admitted else left, now)
        # The caller who was silent longest is forgotten: its bucket is the fullest.
        if len(self._buckets) > self._callers_max:
            self._buckets.popitem(last=False)
        return admitted

    def admit(self, caller: str, now: float) -> None:
        """Count a request of the caller.

        Raises:
            ProblemFound: 429, with the whole seconds to wait in Retry-After (RFC 6585 §4, RFC 9110 §10.2.3).
        """
        if self.admits(caller, now):
            return
        left, _ = self._buckets[caller]
        wait_s = max(1, math.ceil((1.0 - left) / self._rate_per_s))
        raise ProblemFound(
            429, "too-many-requests", "Too many requests", "try again later", headers={"Retry-After": str(wait_s)}
        )
