"""Scenarios listed and run, each in a lab of its own, each judged from its capture."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab import traces
from lab.commands.errors import Failure, Misuse
from lab.commands.outcome import RunOutcome
from lab.commands.progress import Say, show_event
from lab.commands.starting import (
    check_topology,
    prepare_runtime,
    supervised,
    supervisor_log,
    supervisor_options,
)
from lab.run_directory import RunDirectory, new_lab_id, new_run_path
from lab.scenarios.library import SCENARIOS, UnknownScenario, scenario_named
from lab.scenarios.model import Scenario

_JUDGE: Final = "lab.commands.verdicts"
"""Loaded when the run is over: what judging takes would make the lab start later."""


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
    runtime: str = "netns"


def scenarios() -> list[dict[str, Any]]:
    """Return every scenario and what it proves."""
    return [
        {
            "name": one.name,
            "what": one.what,
            "long": one.is_long,
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
        Failure: the runtime cannot be made ready.
    """
    if order.every and order.names:
        raise Misuse(f"either --all or names of scenarios, not both: {', '.join(order.names)}")
    names = tuple(SCENARIOS) if order.every else order.names
    if not names:
        raise Misuse("which scenario? mclab scenarios lists them; --all runs them all")
    try:
        chosen = [scenario_named(name) for name in names]
    except UnknownScenario as exc:
        raise Misuse(str(exc)) from exc
    if order.topology is not None:  # the lab's own is known to be good
        for scenario in chosen:
            check_topology(order.topology, scenario.systems, scenario.ues)
    if order.directory is not None and len(chosen) * order.repeat > 1:
        raise Misuse("--directory is for one run only")
    prepare_runtime(order.runtime, say)
    outcomes = []
    for _ in range(order.repeat):
        for scenario in chosen:
            outcomes.append(_run_once(scenario, order, say, show=show))
    return outcomes


def _run_once(scenario: Scenario, order: RunOrder, say: Say, *, show: bool) -> RunOutcome:
    lab_id = new_lab_id()
    names = _interface_names(order) if order.check_clean else frozenset()
    before = traces.look(lab_id, names) if order.check_clean else None
    outcome = RunOutcome(scenario.name, (order.directory or new_run_path(scenario.name, lab_id)).absolute())
    kept = _live(outcome, lab_id, order, say, show=show)
    if outcome.reason:
        say(f"error: {outcome.reason}")
    if before is not None and not kept:
        outcome.left_behind = traces.left_behind(before, traces.look(lab_id, names))
        for line in outcome.left_behind:
            say(f"left behind: {line}")
    RunDirectory(outcome.run).give_to_caller()
    return outcome


def _interface_names(order: RunOrder) -> frozenset[str]:
    from lab.runtime.plan import interfaces
    from lab.topology import load_topology

    return interfaces(load_topology(order.topology) if order.topology is not None else load_topology())


def _live(outcome: RunOutcome, lab_id: str, order: RunOrder, say: Say, *, show: bool) -> bool:
    """Have a supervisor run the scenario, judge the run, and return whether the lab was kept."""
    options = [*supervisor_options(lab_id, outcome.run, order.topology, order.runtime)]
    options += ["--scenario", outcome.scenario]
    options += ["--keep"] if order.keep else []
    kept = came_up = judged = False
    with supervised(options, outcome.run, say) as supervisor:
        say(f"{outcome.scenario}: {outcome.run}")
        for event in supervisor.events():
            show_event(event, say)
            came_up |= event["event"] == "lab.up"
            outcome.retried |= event["event"] == "lab.retried"
            if event["event"] == "failed":
                outcome.reason = event["reason"]
            if event["event"] == "completed":  # the capture is whole: it is judged while the lab goes down
                _judge(outcome, show=show)
                judged = True
            if event["event"] == "capture.stopping":  # nobody waits for a processor now
                importlib.import_module(_JUDGE)
            if event["event"] == "kept":
                kept = True
                supervisor.stay()
                break
    ended = supervisor.exit_status
    if ended and not outcome.reason:
        outcome.reason = supervisor_log(outcome.run)
    if came_up and not judged:
        _judge(outcome, show=show)
    return kept


def _judge(outcome: RunOutcome, *, show: bool) -> None:
    from lab.commands.verdicts import judge_run

    try:
        judge_run(outcome, show=show)
    except Failure as exc:
        outcome.reason = outcome.reason or str(exc)
