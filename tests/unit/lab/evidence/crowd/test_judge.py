"""A storm is judged registration by registration; what one did wrong fails its step and is named."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.crowd.judge import report_on_crowd
from lab.evidence.dissect import DissectionFailed
from lab.evidence.report import Report, Verdict
from lab.scenarios.model import Scenario

STORM = Scenario("storm", "Two users register.", ())


def reported(crowd: SimpleNamespace, *messages: Any) -> Report:
    ordered = sorted(messages, key=lambda message: message.frame.number)
    return report_on_crowd(map(crowd.arrival, ordered), crowd.facts, STORM)


def both(crowd: SimpleNamespace, asked_for_two: Any) -> list[Any]:
    """Return two registrations at once up to their MARs."""
    first = [crowd.register(1, crowd.one, "a"), *crowd.mars(3, crowd.one, crowd.one, 7)]
    return [*first, crowd.register(2, crowd.two, "b"), *crowd.mars(5, crowd.two, asked_for_two, 9)]


def test_each_registration_is_judged_by_itself_though_all_come_from_one_address(crowd: SimpleNamespace) -> None:
    report = reported(crowd, *both(crowd, crowd.two))
    for step in ("10.6.2-2", "10.6.2-3", "10.6.2-4", "10.6.2-5"):
        assert report.step(step).verdict is Verdict.PASS, report.step(step).detail
        assert report.step(step).detail == "2 of 2 registrations"
    assert report.step("10.6.2-13").verdict is Verdict.NOT_EXPECTED
    assert report.step("10.6.2-1").detail == "a storm has no such step"


def test_the_set_of_another_user_on_csc_y_fails_step_4_of_that_registration(crowd: SimpleNamespace) -> None:
    report = reported(crowd, *both(crowd, crowd.one))
    step = report.step("10.6.2-4")
    assert step.verdict is Verdict.FAIL
    assert step.detail.startswith("1 of 2 registrations; frame 5: ")
    assert crowd.one.sets.primary[0] in step.detail
    assert report.step("10.6.2-3").verdict is Verdict.PASS
    assert report.verdict is Verdict.FAIL
    assert any(row.verdict is Verdict.FAIL for ladder in report.ladders for row in ladder.rows)


def test_who_never_got_200_is_counted(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    ok = make.sip(8, "pcscf", "ue", 200, call_id="a")
    report = reported(crowd, *both(crowd, crowd.two), ok)
    promise = next(one for one in report.expectations if one.what == "migrated: everybody is registered")
    assert (promise.verdict, promise.detail) == (Verdict.FAIL, "1 of 2 users; 1 of 2 registrations")
    other = make.sip(9, "pcscf", "ue", 200, call_id="b")
    kept = reported(crowd, *both(crowd, crowd.two), ok, other).expectations
    assert next(one for one in kept if one.what == promise.what).verdict is Verdict.PASS


def test_where_failures_are_looked_for_they_are_counted_and_no_fault(
    crowd: SimpleNamespace, make: SimpleNamespace
) -> None:
    looking = crowd.facts.model_copy(update={"steps": ({"step": "Storm", "side": "migrated", "find_rate": True},)})
    report = report_on_crowd(map(crowd.arrival, sorted(both(crowd, crowd.two), key=lambda m: m.frame)), looking, STORM)
    (counted,) = [check for check in report.checks if check.name == "migrated: registrations"]
    assert (counted.verdict, counted.detail) == (Verdict.PASS, "0 of 2 registrations; failures were looked for")


def test_who_was_registered_without_a_step_fails_it(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    report = reported(crowd, crowd.register(1, crowd.one, "a"), make.sip(8, "pcscf", "ue", 200, call_id="a"))
    step = report.step("10.6.2-5")
    assert (step.verdict, step.frames) == (Verdict.FAIL, (8,))
    assert step.detail == "1 of 1 registrations; frame 8: registered without this step: no MAR on CSC-Y"


def test_a_capture_without_a_payload_is_none(crowd: SimpleNamespace) -> None:
    with pytest.raises(DissectionFailed, match="no frame with TCP or UDP"):
        reported(crowd)
