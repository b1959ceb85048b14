"""How the feed stands: which MMS is followed, when it last answered, how often each did not; for metrics and people."""

import time
from collections.abc import Sequence
from typing import Final


class FeedStatus:
    """Counts since the start, by MMS.

    Attributes:
        mms: the instance that is followed.
        is_failing: the last attempt failed.
        succeeded_at: POSIX time of the last answer; None before the first.
        acknowledged: version that the MMS was last told we have.
    """

    def __init__(self, instances: Sequence[str]) -> None:
        self.instances: Final = tuple(instances)
        self.mms = self.instances[0]
        self.is_failing = False
        self.succeeded_at: float | None = None
        self.acknowledged: int | None = None
        self.failures: Final = dict.fromkeys(self.instances, 0)
        self.switches = 0

    def succeeded(self) -> None:
        """Note an answer of the MMS that is followed."""
        self.is_failing = False
        self.succeeded_at = time.time()

    def failed(self) -> None:
        """Note that the MMS that is followed gave no answer of use."""
        self.is_failing = True
        self.failures[self.mms] += 1

    def switched(self, mms: str) -> None:
        """Note that another instance is followed from now on."""
        if mms != self.mms:
            self.switches += 1
            self.mms = mms

    def described(self) -> dict[str, object]:
        """Return all of it, for the admin socket."""
        return {
            "mms": self.mms,
            "is_failing": self.is_failing,
            "succeeded_at": self.succeeded_at,
            "acknowledged": self.acknowledged,
            "failures": dict(self.failures),
            "switches": self.switches,
        }
