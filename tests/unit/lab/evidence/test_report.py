"""The verdict of many: one failure fails, one crash makes unknown, never pass."""

import pytest

from lab.evidence.report import Report, StepReport, Verdict, combined

P, F, U = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@pytest.mark.parametrize(("many", "one"), [([P, P], P), ([P, F, U], F), ([P, U], U), ([], P)])
def test_the_verdict_of_many(many: list[Verdict], one: Verdict) -> None:
    assert combined(many) is one


def test_a_step_is_found_by_its_id() -> None:
    step = StepReport(id="10.6.2-5", title="t", wire="CSC-Y", verdict=P)
    report = Report(
        scenario="s", what="w", verdict=P, steps=(step,), checks=(), expectations=(), capture="", run="", environment={}
    )
    assert report.step("10.6.2-5") is step
    with pytest.raises(KeyError):
        report.step("10.6.2-15")
    assert "TS 33.203" in report.security_association
