"""How often one caller may ask."""

import pytest

from mmserver.http.limits import RateLimit
from mmserver.http.problems import ProblemFound


def test_a_burst_and_then_the_rate() -> None:
    limit = RateLimit(rate_per_s=2, burst=3, callers_max=10)
    assert [limit.admits("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert [limit.admits("a", 0.5), limit.admits("a", 0.5)] == [True, False]


def test_callers_do_not_share() -> None:
    limit = RateLimit(rate_per_s=1, burst=1, callers_max=10)
    assert limit.admits("a", 0.0) and limit.admits("b", 0.0)
    assert not limit.admits("a", 0.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    limit = RateLimit(rate_per_s=1, burst=1, callers_max=10)
    assert limit.admits("a", 10.0)
    assert not limit.admits("a", 0.0)


def test_the_number_of_callers_is_bounded() -> None:
    limit = RateLimit(rate_per_s=0.001, burst=1, callers_max=2)
    assert all(limit.admits(caller, 0.0) for caller in "abc")
    assert not limit.admits("c", 0.0)
    assert limit.admits("a", 0.0)


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    limit = RateLimit(rate_per_s=0.1, burst=1, callers_max=2)
    limit.admit("a", 0.0)
    with pytest.raises(ProblemFound) as refused:
        limit.admit("a", 5.0)
    assert (refused.value.problem.status, refused.value.headers) == (429, {"Retry-After": "5"})
