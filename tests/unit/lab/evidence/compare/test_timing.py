"""Each kind of hop has its count and its median; a retransmission counts from the first, no answer has no time."""

from collections.abc import Callable

from lab.evidence.compare.timing import HopTime, hop_times
from lab.evidence.story import Evidence


def test_hops_are_named_by_wire_and_what_was_asked(evidence: Callable[..., Evidence]) -> None:
    assert hop_times(evidence()) == {
        "gm REGISTER": HopTime(1, 0, 8.0),
        "aaa-2 MAR": HopTime(1, 0, 4.0),
        "csc-x POST /csc-x/v1/bindings/*/confirm": HopTime(1, 0, 5.0),
    }


def test_what_is_never_answered_is_counted(evidence: Callable[..., Evidence]) -> None:
    assert hop_times(evidence(answered=False))["aaa-2 MAR"] == HopTime(0, 1, None)
