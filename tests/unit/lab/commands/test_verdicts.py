"""Runs judged again, and their reports: what is no run, half a run, a whole one."""

import json
from pathlib import Path

import pytest

from lab.commands import verdicts
from lab.commands.errors import Failure, Misuse
from lab.evidence.report import Report, Verdict


def report(verdict: Verdict) -> Report:
    return Report(
        scenario="native", what="", verdict=verdict, steps=(), checks=(), expectations=(),
        capture="/c", run="/r", environment={},
    )  # fmt: skip


def test_a_run_directory_that_is_none_or_half_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="not a run directory"):
        verdicts.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scen')
    with pytest.raises(Misuse, match="half-written"):
        verdicts.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scenario": "native"}')
    with pytest.raises(Misuse, match="no report in it yet"):
        verdicts.report(tmp_path, show=False)


def test_a_report_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"scenario": "native", "failure": None}))
    report(Verdict.PASS).save(tmp_path)
    assert verdicts.report(tmp_path, show=False).passed


def test_a_run_that_was_held_to_nothing_we_know_is_half_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"scenario": "native", "checks": [{"nome": "x"}]}))
    with pytest.raises(Failure, match="half-written: proves, absent or checks"):
        verdicts.verify(tmp_path, show=False)
