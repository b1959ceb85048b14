"""Records come to figures: nearest rank, failures by code, what counts as good."""

from lab.load.registration import Record
from lab.load.tally import Tally, spread, tally


def ok(whole_s: float, tries: int = 1, failures: tuple[str, ...] = ()) -> Record:
    return Record("200", whole_s / 2, whole_s / 2, whole_s, list(failures), 0, tries)


def of(*records: Record, wanted: int | None = None) -> Tally:
    return tally(records, rate=50, wanted=len(records) if wanted is None else wanted, took_s=1.0)


def test_percentiles_are_nearest_rank() -> None:
    hundred = spread(range(1, 101))
    assert (hundred.p50, hundred.p90, hundred.p99, hundred.longest) == (50, 90, 99, 100)
    assert spread([7.0]).p99 == 7.0


def test_legs_are_those_of_registrations_that_came_to_200() -> None:
    figures = of(ok(0.02), ok(0.04), Record("403", challenge_s=9.0, failures=["403"]))
    assert figures.legs_ms["whole"].p50 == 20
    assert figures.legs_ms["challenge"].longest == 20
    assert (figures.ok, figures.failures, figures.all_ok) == (2, {"403": 1}, False)


def test_a_storm_without_a_200_has_no_legs() -> None:
    figures = of(Record("timeout", failures=["timeout"] * 4, retransmissions=3, tries=4))
    assert figures.legs_ms == {}
    assert (figures.retransmissions, figures.tried_again, figures.is_good(100)) == (3, 1, False)


def test_good_is_fast_and_without_any_failure() -> None:
    assert of(ok(0.05)).is_good(100)
    assert not of(ok(0.15)).is_good(100)
    assert not of(ok(0.05, tries=2, failures=("503",))).is_good(100)
    assert not of(ok(0.05), wanted=2).is_good(100)


def test_a_failure_mended_by_coming_again_is_counted_and_all_are_ok() -> None:
    figures = of(ok(0.05, tries=2, failures=("503",)))
    assert (figures.all_ok, figures.tried_again, figures.failures) == (True, 1, {"503": 1})
