"""What came of a storm: how many, how long each leg took, failures by code.  Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from lab.load.registration import Record

LEGS: Final = ("challenge", "answer", "whole")


class Spread(BaseModel):
    """How a time is spread, in milliseconds, by nearest rank."""

    model_config = ConfigDict(frozen=True)

    p50: float
    p90: float
    p99: float
    longest: float


class Tally(BaseModel):
    """One storm in figures.

    ``legs_ms``: ``challenge`` is REGISTER to 401, ``answer`` the REGISTER with the response to 200, ``whole`` both.
    """

    model_config = ConfigDict(frozen=True)

    rate: Annotated[float, Field(description="Registrations a second that were asked for.")]
    wanted: Annotated[int, Field(description="How many should begin.")]
    began: int
    ok: Annotated[int, Field(description="How many ended with 200.")]
    late: Annotated[int, Field(description="How many began over 0.1 s late: the generator itself was too slow.")]
    busy: Annotated[int, Field(description="How many did not begin: the UE's last one was still under way.")]
    tried_again: Annotated[int, Field(description="How many were told to come again, or heard nothing, and did.")]
    retransmissions: int
    took_s: float
    legs_ms: dict[str, Spread]
    failures: Annotated[dict[str, int], Field(description="Every failure by its code, those mended by a retry too.")]

    @property
    def all_ok(self) -> bool:
        """Whether every one that was wanted ended with 200."""
        return self.ok == self.wanted

    def is_good(self, p99_ms: float) -> bool:
        """Tell whether nothing failed, nothing was sent twice, and 99 % took less than ``p99_ms`` as a whole."""
        clean = self.all_ok and not self.failures and not self.retransmissions
        return clean and "whole" in self.legs_ms and self.legs_ms["whole"].p99 < p99_ms


def tally(records: Sequence[Record], *, rate: float, wanted: int, took_s: float, late: int = 0, busy: int = 0) -> Tally:
    """Return what the records of a storm come to."""
    taken = {
        "challenge": [one.challenge_s for one in records if one.ok],
        "answer": [one.answer_s for one in records if one.ok],
        "whole": [one.whole_s for one in records if one.ok],
    }
    failures: Counter[str] = Counter()
    for one in records:
        failures.update(one.failures)
    return Tally(
        rate=round(rate, 1),
        wanted=wanted,
        began=len(records),
        ok=sum(one.ok for one in records),
        late=late,
        busy=busy,
        tried_again=sum(one.tries > 1 for one in records),
        retransmissions=sum(one.retransmissions for one in records),
        took_s=round(took_s, 2),
        legs_ms={
            leg: spread(1000 * value for value in values if value is not None)
            for leg, values in taken.items()
            if any(value is not None for value in values)
        },
        failures=dict(failures.most_common()),
    )


def spread(values: Iterable[float]) -> Spread:
    """Return how some values, at least one, are spread."""
    ordered = sorted(values)
    p50, p90, p99 = (round(ordered[math.ceil(part * len(ordered)) - 1], 2) for part in (0.5, 0.9, 0.99))
    return Spread(p50=p50, p90=p90, p99=p99, longest=round(ordered[-1], 2))
