"""How often one caller may ask: a token bucket per caller, a bounded number of callers.  Time is an argument."""

from collections import OrderedDict


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
