"""What mclab does without a lab: misuse in one line, outcomes, reports of runs."""

import json
from pathlib import Path

import pytest

from lab import commands
from lab.commands import Misuse, RunOrder, RunOutcome
from lab.evidence.report import Report, Verdict


def report(verdict: Verdict) -> Report:
    return Report(
        scenario="native", what="", verdict=verdict, steps=(), checks=(), expectations=(),
        capture="/c", run="/r", environment={},
    )  # fmt: skip


def test_every_scenario_is_listed_with_what_it_proves() -> None:
    listed = {one["name"]: one for one in commands.scenarios()}
    assert len(listed["migration"]["proves"]) == 30


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (RunOrder(names=()), "which scenario"),
        (RunOrder(names=("native",), every=True), "either --all or names"),
        (RunOrder(names=("migraton",)), "did you mean migration"),
        (RunOrder(names=("native", "migration"), directory=Path("x")), "for one run only"),
        (RunOrder(names=("native",), topology=Path("none.toml")), "No such file"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_named(order: RunOrder, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        commands.run(order, lambda _: None, show=False)


def test_a_run_directory_that_is_none_or_half_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="not a run directory"):
        commands.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scen')
    with pytest.raises(Misuse, match="half-written"):
        commands.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scenario": "native"}')
    with pytest.raises(Misuse, match="no report in it yet"):
        commands.report(tmp_path, show=False)


def test_a_report_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"scenario": "native", "failure": None}))
    report(Verdict.PASS).save(tmp_path)
    assert commands.report(tmp_path, show=False).passed


def test_a_value_that_is_no_assignment_is_named() -> None:
    with pytest.raises(Misuse, match="register: wanted name=value"):
        commands.tell("ab12", "ue1", "register", ("register",))


def test_a_run_passes_only_when_proved_whole_and_clean(tmp_path: Path) -> None:
    assert RunOutcome("native", tmp_path, report(Verdict.PASS)).passed
    assert not RunOutcome("native", tmp_path, report(Verdict.UNKNOWN)).passed
    assert not RunOutcome("native", tmp_path).passed
    broken = RunOutcome("native", tmp_path, report(Verdict.PASS), reason="step 2: 504")
    dirty = RunOutcome("native", tmp_path, report(Verdict.PASS), left_behind=["mounts: x"])
    assert (broken.as_json()["verdict"], dirty.as_json()["verdict"]) == ("fail", "fail")
    assert "step 2: 504" in broken.line()
    assert RunOutcome("native", tmp_path, report(Verdict.UNKNOWN)).line().startswith("unknown")


def test_a_run_does_not_write_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(Misuse, match="not empty"):
        commands.run(RunOrder(names=("native",), directory=tmp_path), lambda _text: None, show=False)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
