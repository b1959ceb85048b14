"""Runs judged from their captures, now or again, and their reports shown."""

import os
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.commands.errors import Failure, Misuse
from lab.commands.outcome import RunOutcome
from lab.evidence.capture import CaptureError
from lab.evidence.crowd.judge import judge_storm
from lab.evidence.dissect import DissectionFailed
from lab.evidence.facts import FactsMissing, load_facts
from lab.evidence.judge import judge
from lab.evidence.presentation import print_report, write_all
from lab.evidence.profile import write_profile
from lab.evidence.report import Report
from lab.run_directory import RunDirectory, RunDirectoryError
from lab.scenarios.model import Check, Scenario


def verify(path: Path, *, show: bool) -> RunOutcome:
    """Judge a run again from its capture and write its reports.

    Raises:
        Misuse: that is no whole run directory.
        Failure: the capture cannot be judged.
    """
    try:
        facts = RunDirectory(path).read_run()
    except RunDirectoryError as exc:
        raise Misuse(str(exc)) from exc
    outcome = RunOutcome(str(facts["scenario"]), path, reason=str(facts.get("failure") or ""))
    judge_run(outcome, show=show)
    return outcome


def report(path: Path, *, show: bool) -> RunOutcome:
    """Return the report of a run as it was written.

    Raises:
        Misuse: there is none.
    """
    try:
        facts = RunDirectory(path).read_run()
        written = Report.model_validate_json((path / "report.json").read_text())
    except RunDirectoryError as exc:
        raise Misuse(str(exc)) from exc
    except (OSError, ValueError) as exc:
        raise Misuse(f"{path}: no report in it yet; mclab verify {path}") from exc
    outcome = RunOutcome(written.scenario, path, written, reason=str(facts.get("failure") or ""))
    if show:
        _print_report(written)
    return outcome


def judge_run(outcome: RunOutcome, *, show: bool) -> None:
    """Judge a run, write its reports into its directory and the verdict into ``outcome``.

    Raises:
        Failure: the capture cannot be judged.
    """
    facts = RunDirectory(outcome.run).read_run()
    try:
        judged = judge_storm if facts.get("crowd") else judge
        outcome.report = judged(outcome.run.absolute(), scenario_of(facts))
        write_all(outcome.report, outcome.run)
        write_profile(outcome.report, load_facts(outcome.run), outcome.run)
    except (CaptureError, DissectionFailed, FactsMissing) as exc:
        raise Failure(str(exc)) from exc
    except OSError as exc:  # another's run, or a disk that is full
        raise Failure(f"{exc.filename or outcome.run}: {exc.strerror}") from exc
    if show:
        _print_report(outcome.report)


def scenario_of(facts: dict[str, Any]) -> Scenario:
    """Return what the run was held to when it was made.

    Raises:
        Failure: ``run.json`` is half-written.
    """
    try:
        return Scenario(
            name=str(facts["scenario"]),
            what=str(facts.get("what", "")),
            steps=(),
            proves=tuple(facts.get("proves", ())),
            absent=tuple(facts.get("absent", ())),
            checks=tuple(Check(one["name"], one["parameters"]) for one in facts.get("checks", ())),
        )
    except (KeyError, TypeError) as exc:
        raise Failure(f"run.json: half-written: proves, absent or checks are not as a run writes them: {exc}") from exc


def _print_report(report: Report) -> None:
    print_report(report, Console(width=None if os.isatty(1) else 160))
