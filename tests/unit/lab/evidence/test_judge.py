"""A check that crashes is unknown and hides nothing; what is promised and absent fails."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.evidence import judge as judging
from lab.evidence.checks.finding import Finding
from lab.evidence.dissect import DissectionFailed
from lab.evidence.judge import comments_of, judge_step, report_on, require_ours
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.steps import STEPS, Step
from lab.evidence.story import Evidence, Story, read_stories
from lab.scenarios.model import Scenario, check


def scenario(**changes: object) -> Scenario:
    return Scenario(**{"name": "s", "what": "w", "steps": (), **changes})  # type: ignore[arg-type]


def step_with(*findings: Finding) -> Step:
    found = iter(findings)

    def look(story: Story, evidence: Evidence) -> Finding:
        return next(found)

    return Step("10.6.2-5", "t", "CSC-Y", look)


def crashing(story: Story, evidence: Evidence) -> Finding:
    raise LookupError("gone")


@pytest.fixture
def evidence(make: SimpleNamespace) -> Evidence:
    return read_stories(Capture(payloads=(make.payload(1, "proxy2", "proxy1", b"\x16\x03\x01"),)), make.facts())


def test_a_check_that_crashes_is_unknown_and_names_the_place(evidence: Evidence) -> None:
    report = judge_step(Step("10.6.2-5", "t", "CSC-Y", crashing), evidence, scenario())
    assert report.verdict is Verdict.UNKNOWN
    assert "LookupError: gone (test_judge.py:" in report.detail


def test_a_promised_step_that_is_absent_fails(evidence: Evidence) -> None:
    missing = Finding(Verdict.NOT_EXPECTED, detail="no MAR")
    assert judge_step(step_with(missing), evidence, scenario(proves=("10.6.2-5",))).verdict is Verdict.FAIL
    assert judge_step(step_with(missing), evidence, scenario()).verdict is Verdict.NOT_EXPECTED


def test_a_step_that_must_not_come_and_came_fails(evidence: Evidence) -> None:
    report = judge_step(step_with(Finding(Verdict.PASS, (3,))), evidence, scenario(absent=("10.6.2-5",)))
    assert (report.verdict, report.frames) == (Verdict.FAIL, (3,))


def test_one_failed_story_fails_the_step_and_only_its_reason_is_said(evidence: Evidence) -> None:
    two = Evidence(evidence.capture, evidence.facts, evidence.index, evidence.stories * 2)
    findings = Finding(Verdict.PASS, (1,), "a", "fine"), Finding(Verdict.FAIL, (2,), "b", "bad")
    report = judge_step(step_with(*findings), two, scenario())
    assert (report.verdict, report.frames, report.filter, report.detail) == (Verdict.FAIL, (1, 2), "(a) || (b)", "bad")


def test_a_check_that_nobody_knows_is_unknown(evidence: Evidence) -> None:
    report = report_on(evidence, scenario(checks=(check("no-such"), check("sip-status", colour="red"))))
    assert [c.verdict for c in report.checks[-2:]] == [Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert report.verdict is Verdict.UNKNOWN


def test_a_run_that_failed_is_no_pass(make: SimpleNamespace) -> None:
    evidence = read_stories(Capture(), make.facts(failure="step 3 Register: 504"))
    report = report_on(evidence, scenario())
    assert report.expectations[0].detail == "step 3 Register: 504"
    assert report.verdict is Verdict.FAIL


def test_an_empty_capture_is_no_pass_for_a_scenario_of_absences(make: SimpleNamespace) -> None:
    absences = scenario(absent=tuple(step.id for step in STEPS), checks=(check("nothing-on", leg="csc-y"),))
    assert report_on(read_stories(Capture(), make.facts()), absences).verdict is Verdict.UNKNOWN


def test_frames_that_prove_a_step_get_a_comment(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "STEPS", (step_with(Finding(Verdict.PASS, (3, 4))),))
    assert comments_of(report_on(evidence, scenario())) == {
        3: "10.6.2-5 t [CSC-Y]: pass",
        4: "10.6.2-5 t [CSC-Y]: pass",
    }


def test_a_capture_of_another_network_is_one_line_and_one_frame_of_ours_is_enough(make: SimpleNamespace) -> None:
    ours, facts = make.payload(1, "proxy2", "proxy1", b"x").frame, make.facts()
    strange = ours._replace(source="192.0.2.1", destination="192.0.2.2")
    require_ours([strange, ours], facts, Path("a.pcapng"))
    with pytest.raises(DissectionFailed, match=r"^a\.pcapng: another network's: 192\.0\.2\.1 is in it, and no host of"):
        require_ours([strange], facts, Path("a.pcapng"))
