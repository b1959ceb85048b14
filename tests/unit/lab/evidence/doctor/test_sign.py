"""A sign has its frames in order, each once, and a display filter for them."""

from types import SimpleNamespace

from lab.evidence.doctor.attempts import Hop
from lab.evidence.doctor.sign import named, sign


def test_frames_are_in_order_and_zero_is_none() -> None:
    found = sign("why", (5, 0, 3, 5))
    assert (found.frames, found.filter) == ((3, 5), "frame.number in {3, 5}")


def test_a_cx_command_has_its_short_name(case: SimpleNamespace) -> None:
    hop = Hop(case.hop(1, None)[0], None)
    assert (named(hop), named(hop, answer=True)) == ("MAR", "MAA")
