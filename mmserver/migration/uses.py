"""Whether a primary migration set was never used: what the Diameter proxies reported, and when that is proof enough.

The primary sees no registration; its proxies see the first vector that goes to the partner (10.6.2 step 9).  Pure.  A
lost report must never cost a user the binding: what is not proven to be unused ends with its validity.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from mmserver.migration.bindings import IdentityBinding

FRESH_S: Final = 60.0
"""A proxy that has not reported for so long may hold a use back; they report every 15 s, and each first use at once."""
POSTPONED_MIN_S: Final = 60.0


class UseReport(NamedTuple):
    """A proxy's last word: it has reported all that it saw since ``since``, or None while some is still to come."""

    since: float | None
    at: float


class Use(Enum):
    """What is known of a binding whose time for a first use is over."""

    NONE = "no proxy saw a use, and none can have been missed"
    NOT_SAID = "a proxy is silent: ask again later"
    UNKNOWN = "a proxy did not watch all the time: it can never be said"


def use_of(binding: IdentityBinding, proxies: Sequence[str], reports: Mapping[str, UseReport], now: float) -> Use:
    """Say what the reports of all our proxies prove of a binding that none of them has named."""
    since = binding.unused_since
    if since is None or not proxies:
        return Use.UNKNOWN
    found = [reports.get(proxy) for proxy in proxies]
    if any(report is not None and report.since is not None and report.since > since for report in found):
        return Use.UNKNOWN
    if any(report is None or report.since is None or report.at < now - FRESH_S for report in found):
        return Use.NOT_SAID
    return Use.NONE


def postponed_until(binding: IdentityBinding, now: float) -> float:
    """Return when to ask again: later each time, for each time leaves an audit row."""
    return now + max(POSTPONED_MIN_S, (now - (binding.unused_since or now)) / 8)
