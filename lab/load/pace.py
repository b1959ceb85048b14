"""When each registration of a storm begins, and which rate to try next when the highest one is looked for.  Pure."""

import math
from dataclasses import dataclass, field
from typing import Final

PRECISE: Final = 1.1
"""The search ends when a bad rate is at most this much above a good one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many registrations a second, after a ramp in which the rate grows evenly from nothing."""

    rate: float
    ramp_s: float = 0.0

    def begins_s(self, number: int) -> float:
        """Return when registration ``number``, counted from 0, begins, in seconds from the start."""
        in_ramp = self.rate * self.ramp_s / 2
        if number < in_ramp:
            return math.sqrt(2 * number * self.ramp_s / self.rate)
        return self.ramp_s / 2 + number / self.rate

    def count_in(self, seconds: float) -> int:
        """Return how many begin within so many seconds."""
        if seconds <= self.ramp_s:
            return max(1, math.ceil(self.rate * seconds**2 / (2 * self.ramp_s)))
        return max(1, math.ceil(self.rate * (seconds - self.ramp_s / 2)))


@dataclass(slots=True)
class RateSearch:
    """Looks for the highest good rate: twice as much each time, then between the last good and the first bad one.

    A rate is bad when it was so twice: what else a machine does now and then ends no search.

    Attributes:
        best: the highest rate that was good; 0 before there was one.
        worst: the lowest that was bad.
        doubted: one that was bad once, and is tried again.
    """

    first: float
    highest: float
    best: float = 0.0
    worst: float = math.inf
    doubted: float | None = None
    tried: list[float] = field(default_factory=list)

    def next_rate(self) -> float | None:
        """Return what to try next; None when it is found closely enough."""
        if not self.tried:
            return self.first
        if self.doubted is not None:
            return self.doubted
        if math.isinf(self.worst):
            return min(2 * self.best, self.highest) if self.best < self.highest else None
        if self.best == 0.0:
            return self.worst / 2 if self.worst > 1.0 else None
        return None if self.worst <= PRECISE * self.best else math.sqrt(self.best * self.worst)

    def note(self, rate: float, *, is_good: bool) -> None:
        """Take what came of a rate."""
        self.tried.append(rate)
        is_first = rate != self.doubted
        self.doubted = rate if not is_good and is_first else None
        if is_good:
            self.best = max(self.best, rate)
        elif not is_first:
            self.worst = min(self.worst, rate)
