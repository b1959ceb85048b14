"""What the commands of ``mclab`` do: labs started, asked and ended, scenarios run and judged."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import traces
from lab.render.files import SOCKETS
from lab.run_directory import RunDirectory, RunDirectoryError, last_lines, new_lab_id, new_run_path
from lab.runtime import netns
from lab.runtime.runtime import RuntimeFailure
from lab.scenarios.library import SCENARIOS, scenario_named
from lab.scenarios.model import Check, Scenario
from lab.supervisor import client
from lab.supervisor.client import NoSupervisor, Supervisor
from lab.topology import TopologyError, load_topology

if TYPE_CHECKING:
    from lab.evidence.report import Report

Say = Callable[[str], None]
LOG_LINES = 12


class Misuse(ValueError):
    """The command cannot mean anything here; one line, exit 2."""


class Failure(RuntimeError):
    """The command failed; exit 1."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What ``mclab run`` was asked for."""

    names: tuple[str, ...]
    every: bool = False
    repeat: int = 1
    check_clean: bool = False
    keep: bool = False
    topology: Path | None = None
    directory: Path | None = None


@dataclass(slots=True)
class RunOutcome:
    """One run and its verdict."""

    scenario: str
    run: Path
    report: "Report | None" = None
    reason: str = ""
    retried: bool = False
    left_behind: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the capture proves the scenario, the run went through, and nothing was left behind."""
        proved = self.report is not None and self.report.verdict == "pass"
        return proved and not self.reason and not self.left_behind

    def line(self) -> str:
        """Return one line for a list of runs."""
        verdict = "pass" if self.passed else "fail"
        if not self.passed and self.report is not None and self.report.verdict == "unknown":
            verdict = "unknown"
        reason = self.reason.splitlines()[0] if self.reason else "; ".join(self.left_behind[:3])
        retried = "  retried" if self.retried else ""
        return f"{verdict:<8} {self.scenario:<26} {self.run}{retried}  {reason}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return the report with what is not in a capture."""
        report = self.report.model_dump(mode="json") if self.report is not None else {"scenario": self.scenario}
        verdict = report.get("verdict", "fail")
        return report | {
            "run": str(self.run),
            "verdict": verdict if self.passed or verdict != "pass" else "fail",
            "retried": self.retried,
            "failure": self.reason or None,
            "left_behind": self.left_behind,
        }


def up(topology: Path | None, systems: tuple[str, ...], directory: Path | None, say: Say) -> dict[str, Any]:
    """Bring a lab up and leave it; return its id and run directory.

    Raises:
        Misuse: the topology cannot be used.
        Failure: the lab does not come up.
    """
    _checked(topology, systems)
    lab_id, run = new_lab_id(), directory
    run = (directory or new_run_path("up", lab_id)).absolute()
    options = _options(lab_id, run, topology)
    for system in systems:
        options += ["--system", system]
    supervisor = _start(options, run, tied=False)
    try:
        for event in supervisor.events():
            _show(event, say)
            if event["event"] == "failed":
                supervisor.end()
                raise Failure(event["reason"])
            if event["event"] == "kept":
                supervisor.let_go()
                return {"lab": lab_id, "run": str(run)}
    except KeyboardInterrupt:
        say("interrupted: taking the lab down")
        supervisor.interrupt()
        raise
    supervisor.end()
    raise Failure(_supervisor_log(run))


def down(lab_id: str | None, *, every: bool, say: Say) -> list[str]:
    """Take labs down, those with a dead supervisor too; return their ids.

    Raises:
        Misuse: there are several and none is named, or there is no such lab.
        Failure: one of them does not go.
    """
    there = _labs()
    if lab_id is not None and lab_id not in there:
        raise Misuse(f"there is no lab {lab_id}" + (f"; there are {', '.join(there)}" if there else ""))
    if lab_id is None and not every and len(there) > 1:
        raise Misuse(f"which of {', '.join(there)}? mclab down LAB, or --all")
    gone = [lab_id] if lab_id is not None else there
    for one in gone:
        _take_down(one, say)
    return gone


def status(lab_id: str | None) -> list[dict[str, Any]]:
    """Return what each lab runs.

    Raises:
        Misuse: there is no such lab.
    """
    there = _labs()
    if lab_id is not None and lab_id not in there:
        raise Misuse(f"there is no lab {lab_id}")
    answers = []
    for one in [lab_id] if lab_id else there:
        try:
            answers.append(client.ask(one, {"command": "status"}))
        except NoSupervisor as exc:
            answers.append({"lab": one, "reason": f"{exc}; mclab down {one}", "hosts": []})
    return answers


def tell(lab_id: str | None, ue: str, command: str, values: tuple[str, ...]) -> dict[str, Any]:
    """Send a command to a UE and return its answer.

    Raises:
        Misuse: no such lab, or a value is not ``name=value``.
        Failure: the UE does not answer.
    """
    request: dict[str, Any] = {"command": command}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise Misuse(f"{value}: wanted name=value")
        request[name] = _json_or_text(text)
    answer = change(lab_id, {"command": "ue", "ue": ue, "values": request})
    return dict(answer["answer"])


def change(lab_id: str | None, request: dict[str, Any]) -> dict[str, Any]:
    """Send one request to a lab's supervisor and return its answer.

    Raises:
        Misuse: no such lab.
        Failure: it refuses, or does not answer.
    """
    there = _labs()
    if lab_id is None and len(there) == 1:
        lab_id = there[0]
    if lab_id not in there:
        raise Misuse(f"which of {', '.join(there)}? --lab LAB" if there else "there is no lab; mclab up makes one")
    try:
        answer = client.ask(lab_id, request)
    except NoSupervisor as exc:
        raise Failure(str(exc)) from exc
    if not answer.get("ok"):
        raise Failure(str(answer.get("reason")))
    return answer


def scenarios() -> list[dict[str, Any]]:
    """Return every scenario and what it proves."""
    return [
        {
            "name": one.name,
            "what": one.what,
            "systems": list(one.systems),
            "ues": list(one.ues),
            "proves": list(one.proves),
            "absent": list(one.absent),
            "checks": [check.name for check in one.checks],
        }
        for one in SCENARIOS.values()
    ]


def run(order: RunOrder, say: Say, *, show: bool) -> list[RunOutcome]:
    """Run scenarios, each in a lab of its own; ``show`` prints each report.

    Raises:
        Misuse: no scenario is named, one is unknown, or the topology cannot be used.
    """
    if order.every and order.names:
        raise Misuse(f"either --all or names of scenarios, not both: {', '.join(order.names)}")
    names = tuple(SCENARIOS) if order.every else order.names
    if not names:
        raise Misuse("which scenario? mclab scenarios lists them; --all runs them all")
    try:
        chosen = [scenario_named(name) for name in names]
    except TopologyError as exc:
        raise Misuse(str(exc)) from exc
    for scenario in chosen:
        _checked(order.topology, scenario.systems)
    if order.directory is not None and len(chosen) * order.repeat > 1:
        raise Misuse("--directory is for one run only")
    outcomes = []
    for _ in range(order.repeat):
        for scenario in chosen:
            outcomes.append(_run_once(scenario, order, say, show=show))
    return outcomes


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
    _judge(outcome, show=show)
    return outcome


def report(path: Path, *, show: bool) -> RunOutcome:
    """Return the report of a run as it was written.

    Raises:
        Misuse: there is none.
    """
    from lab.evidence.report import Report

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


def _run_once(scenario: Scenario, order: RunOrder, say: Say, *, show: bool) -> RunOutcome:
    lab_id = new_lab_id()
    before = traces.look(lab_id) if order.check_clean else None
    path = (order.directory or new_run_path(scenario.name, lab_id)).absolute()
    outcome = RunOutcome(scenario.name, path)
    options = [*_options(lab_id, path, order.topology), "--scenario", scenario.name]
    supervisor = _start([*options, *(["--keep"] if order.keep else [])], path, tied=not order.keep)
    say(f"{scenario.name}: {path}")
    kept = came_up = False
    try:
        for event in supervisor.events():
            _show(event, say)
            came_up |= event["event"] == "lab.up"
            outcome.retried |= event["event"] == "lab.retried"
            if event["event"] == "failed":
                outcome.reason = event["reason"]
            kept |= event["event"] == "kept"
    finally:
        supervisor.let_go()
        ended = 0 if kept else supervisor.end()
    if ended and not outcome.reason:
        outcome.reason = _supervisor_log(path)
    if came_up:
        try:
            _judge(outcome, show=show)
        except Failure as exc:
            outcome.reason = outcome.reason or str(exc)
    if outcome.reason:
        say(f"error: {outcome.reason}")
    if before is not None and not kept:
        outcome.left_behind = traces.left_behind(before, traces.look(lab_id))
        for line in outcome.left_behind:
            say(f"left behind: {line}")
    RunDirectory(path).give_to_caller()
    return outcome


def _judge(outcome: RunOutcome, *, show: bool) -> None:
    from lab.evidence.capture import CaptureError
    from lab.evidence.dissect import DissectionFailed
    from lab.evidence.facts import FactsMissing
    from lab.evidence.judge import judge
    from lab.evidence.presentation import write_all

    facts = RunDirectory(outcome.run).read_run()
    try:
        outcome.report = judge(outcome.run.absolute(), _scenario_of(facts))
        write_all(outcome.report, outcome.run)
    except (CaptureError, DissectionFailed, FactsMissing) as exc:
        raise Failure(str(exc)) from exc
    if show:
        _print_report(outcome.report)


def _scenario_of(facts: dict[str, Any]) -> Scenario:
    """Return what the run was held to when it was made."""
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


def _print_report(report: "Report") -> None:
    from rich.console import Console

    from lab.evidence.presentation import print_report

    print_report(report, Console(width=None if os.isatty(1) else 160))


def _checked(topology: Path | None, systems: tuple[str, ...]) -> None:
    try:
        whole = load_topology(topology) if topology else load_topology()
        whole.restricted_to(systems or tuple(whole.systems))
    except TopologyError as exc:
        raise Misuse(str(exc)) from exc


def _options(lab_id: str, run: Path, topology: Path | None) -> list[str]:
    options = ["--lab-id", lab_id, "--directory", str(run)]
    return [*options, "--topology", str(topology.absolute())] if topology else options


def _start(options: list[str], run: Path, *, tied: bool) -> Supervisor:
    if run.is_dir() and any(run.iterdir()):
        raise Misuse(f"{run}: not empty; a run has a directory of its own")
    try:
        (run / "log").mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Misuse(f"{run}: {exc.strerror}") from exc
    return Supervisor(options, run / "log" / "supervisor.log", tied=tied)


def _supervisor_log(run: Path) -> str:
    shown = last_lines(run / "log" / "supervisor.log", LOG_LINES)
    return "\n".join(["the supervisor ended before its work was done", *(f"  {line}" for line in shown)])


def _labs() -> list[str]:
    return sorted({*client.supervised_labs(), *netns.lab_ids()})


def _take_down(lab_id: str, say: Say) -> None:
    pid = client.supervisor_pid(lab_id)
    if pid is not None:
        try:
            client.ask(lab_id, {"command": "down"})
        except NoSupervisor as exc:
            say(str(exc))
        if not client.wait_until_gone(pid):
            client.end_for_good(pid)
        elif not netns.namespaces_of(lab_id):
            return
    say(f"lab {lab_id}: its supervisor is dead, removing what it left")
    try:
        asyncio.run(netns.remove_lab(lab_id))
    except RuntimeFailure as exc:
        raise Failure(str(exc)) from exc
    for left in traces.processes_of_lab(lab_id):
        client.end_for_good(left)
    shutil.rmtree(SOCKETS / lab_id, ignore_errors=True)
    if SOCKETS.is_dir() and not any(SOCKETS.iterdir()):
        SOCKETS.rmdir()


def _show(event: dict[str, Any], say: Say) -> None:
    name, after = event["event"], event.get("after_s")
    lead = f"{after:7.2f} s  " if isinstance(after, float | int) else "           "
    if name == "lab.retried":
        say(f"{lead}retried: {event['reason']}")
    elif name in ("lab.up", "hosts.made", "lab.down", "capture.stopped"):
        say(f"{lead}{name}")
    elif name == "step.done":
        status = event.get("outcome", {}).get("status")
        say(f"{lead}{event['number']:>2} {event['step']}{f' {status}' if status else ''}")
    elif name in ("program.ended", "program.killed", "program.paused", "program.resumed"):
        say(f"{lead}{name} {event['host']}")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
