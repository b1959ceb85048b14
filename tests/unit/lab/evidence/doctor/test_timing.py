"""Who gives up before a good answer came is found; a late error, or a late answer after 200, is not."""

from types import SimpleNamespace

import pytest

from lab.evidence.doctor.timing import timer_order


@pytest.mark.parametrize(("status", "code", "after", "found"), [
    (408, 2001, 600, True), (504, 2001, 600, True), (408, 5001, 600, False), (408, 2001, 1, False),
    (403, 2001, 600, False), (200, 2001, 600, False),
])  # fmt: skip
def test_a_late_good_answer_counts(case: SimpleNamespace, status: int, code: int, after: int, *, found: bool) -> None:
    view = case.see(case.register(1), case.hop(2, code, after=after), case.response(9, status))
    assert bool(list(timer_order(view))) is found


def test_it_says_how_late(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), case.hop(2, 2001, after=1200), case.response(501, 408))
    assert (
        "gives up with 408 0.50 s after the REGISTER; the MAA came 0.70 s later, after 1.20 s"
        in next(iter(timer_order(view))).detail
    )
