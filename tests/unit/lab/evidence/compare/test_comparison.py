"""Two runs differ in verdicts, or they are the same whatever their times and fields."""

from collections.abc import Callable
from types import SimpleNamespace

from lab.evidence.compare.comparison import Side, compare


def test_a_run_is_the_same_as_itself(side: Callable[..., Side]) -> None:
    found = compare(side(), side())
    assert (found.same, found.verdicts, found.fields, found.environment) == (True, (), (), {})
    assert {time.ratio for time in found.times} == {1.0}


def test_verdicts_of_run_step_and_check_are_compared(side: Callable[..., Side]) -> None:
    found = compare(side(), side("fail", checks=("d",)))
    rows = [(one.what, one.first, one.second, one.detail) for one in found.verdicts]
    assert rows == [
        ("the run", "pass", "fail", ""), ("10.6.2-3", "pass", "fail", "why"),
        ("c", "pass", "missing", ""), ("d", "missing", "pass", ""),
    ]  # fmt: skip
    assert not found.same


def test_times_have_a_ratio_and_what_only_one_has_has_none(side: Callable[..., Side]) -> None:
    slow = {time.hop: time for time in compare(side(), side(took=12)).times}
    assert (slow["aaa-2 MAR"].ratio, slow["aaa-2 MAR"].second_ms) == (3.0, 12.0)
    lost = {time.hop: time for time in compare(side(), side(answered=False)).times}["aaa-2 MAR"]
    assert (lost.ratio, lost.second_ms, lost.second_unanswered) == (None, None, 1)


def test_a_field_of_one_run_only_is_named(side: Callable[..., Side], make: SimpleNamespace) -> None:
    realm = make.avp(283, "ims.mc1.lab")._replace(name="Destination-Realm")
    (found,) = compare(side(), side(more=(realm,))).fields
    assert (found.step, found.name, found.only_in, found.value) == (
        "10.6.2-3", "MAR: Destination-Realm", 2, "ims.mc1.lab",
    )  # fmt: skip
    (back,) = compare(side(more=(realm,)), side()).fields
    assert back.only_in == 1


def test_versions_that_differ_are_named(side: Callable[..., Side]) -> None:
    assert compare(side(), side(python="3.12")).environment == {"python": ("3.11", "3.12")}
