"""When registrations begin, and how the highest rate is looked for."""

import itertools

import pytest

from lab.load.pace import PRECISE, Pace, RateSearch


def test_without_a_ramp_they_are_evenly_spaced() -> None:
    assert [Pace(50).begins_s(number) for number in (0, 1, 50)] == [0.0, 0.02, 1.0]


def test_a_ramp_grows_from_nothing_to_the_rate() -> None:
    pace = Pace(100, ramp_s=2)
    moments = [pace.begins_s(number) for number in range(300)]
    gaps = [b - a for a, b in itertools.pairwise(moments)]
    assert moments == sorted(moments)
    assert sum(moment < 2 for moment in moments) == 100  # half of 2 s at 100/s
    assert gaps[0] > gaps[20] > gaps[80]
    assert gaps[-1] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("pace", "seconds", "count"), [(Pace(50), 2, 100), (Pace(50, 2), 4, 150), (Pace(50, 8), 4, 50)]
)
def test_so_many_begin_in_a_time(pace: Pace, seconds: float, count: int) -> None:
    assert pace.count_in(seconds) == count
    assert pace.begins_s(count - 1) <= seconds


def found(good_up_to: float, first: float = 50, highest: float = 10_000) -> RateSearch:
    search = RateSearch(first, highest)
    while (rate := search.next_rate()) is not None:
        search.note(rate, is_good=rate <= good_up_to)
    return search


@pytest.mark.parametrize("limit", [3.0, 60.0, 333.0, 4_000.0])
def test_the_search_ends_close_below_the_limit(limit: float) -> None:
    search = found(limit)
    assert limit / PRECISE <= search.best <= limit
    assert len(search.tried) < 30


def test_a_rate_that_was_bad_once_is_tried_again() -> None:
    search = RateSearch(50, 10_000)
    search.note(50, is_good=True)
    search.note(100, is_good=False)
    assert search.next_rate() == 100
    search.note(100, is_good=True)
    assert search.next_rate() == 200
    for _ in range(2):
        search.note(200, is_good=False)
    assert (search.best, search.worst) == (100, 200)


def test_a_search_that_finds_nothing_good_ends() -> None:
    assert found(0.0).best == 0.0


def test_a_search_where_all_is_good_ends_at_the_highest() -> None:
    assert found(1e9).best == 10_000
