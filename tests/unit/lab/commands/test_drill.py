"""The outcome of a drill: every run, every capture, and how to repeat what failed."""

from pathlib import Path

from lab.commands.drill import DrillOutcome, LabLife, faults_of
from lab.evidence.report import CheckReport, Report, Verdict
from lab.scenarios.chaos import ChaosRun, strike_of


def life(*numbers: int, bad: int = 0, faults: tuple[str, ...] = ()) -> LabLife:
    runs = [
        ChaosRun(strike_of("s", number, ["mms.mc1"]), [], ["a set is lost"] if number == bad else [])
        for number in numbers
    ]
    return LabLife(Path("run"), runs, list(faults))


def test_all_runs_without_a_fault_pass() -> None:
    outcome = DrillOutcome("s", 3, [life(1, 2), life(3)])
    assert outcome.passed
    assert outcome.failures() == []
    assert outcome.as_json()["verdict"] == "pass"


def test_a_run_that_failed_is_named_with_how_to_repeat_it() -> None:
    outcome = DrillOutcome("s", 2, [life(1, 2, bad=2)])
    assert not outcome.passed
    (line,) = outcome.failures()
    assert "run   2" in line
    assert line.endswith("repeat: mclab drill chaos --seed s --first 2 --runs 1")


def test_a_leak_in_a_capture_fails_the_drill_and_names_its_runs() -> None:
    outcome = DrillOutcome("s", 2, [life(1, 2, faults=("identities-stay: seen",))])
    assert not outcome.passed
    assert outcome.failures()[0].endswith("repeat: mclab drill chaos --seed s --first 1 --runs 2")


def test_runs_that_never_were_fail_the_drill() -> None:
    assert not DrillOutcome("s", 3, [life(1, 2)]).passed


def test_a_check_that_is_unknown_is_no_pass() -> None:
    checks = tuple(
        CheckReport(name=str(verdict), verdict=verdict, frames=(), filter="", detail="why") for verdict in Verdict
    )
    report = Report.model_construct(checks=checks)
    assert faults_of(report) == [f"{verdict}: why" for verdict in Verdict if verdict is not Verdict.PASS]
