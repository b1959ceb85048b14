"""One run and its verdict: proved, whole and clean, or not passed."""

from pathlib import Path

from lab.commands.outcome import RunOutcome
from lab.evidence.report import Report, Verdict


def report(verdict: Verdict) -> Report:
    return Report(
        scenario="native", what="", verdict=verdict, steps=(), checks=(), expectations=(),
        capture="/c", run="/r", environment={},
    )  # fmt: skip


def test_a_run_passes_only_when_proved_whole_and_clean(tmp_path: Path) -> None:
    assert RunOutcome("native", tmp_path, report(Verdict.PASS)).passed
    assert not RunOutcome("native", tmp_path, report(Verdict.UNKNOWN)).passed
    assert not RunOutcome("native", tmp_path).passed
    broken = RunOutcome("native", tmp_path, report(Verdict.PASS), reason="step 2: 504")
    dirty = RunOutcome("native", tmp_path, report(Verdict.PASS), left_behind=["mounts: x"])
    assert (broken.as_json()["verdict"], dirty.as_json()["verdict"]) == ("fail", "fail")
    assert "step 2: 504" in broken.line()
    assert RunOutcome("native", tmp_path, report(Verdict.UNKNOWN)).line().startswith("unknown")
