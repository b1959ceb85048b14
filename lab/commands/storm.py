"""``mclab storm``: a lab with a crowd, everybody registers, figures from the generator and from the capture."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab.commands.progress import Say, show_event
from lab.commands.starting import check_topology, supervised, supervisor_log, supervisor_options
from lab.evidence.capture import RAW
from lab.evidence.dissect import DissectionFailed
from lab.evidence.wire_registrations import WireRegistrations, read_registrations
from lab.load.tally import Tally
from lab.run_directory import RunDirectory, new_lab_id, new_run_path
from lab.scenarios.orders import HOME, PARTNER, StormOrder

SYSTEM: Final = {"native": HOME, "migrated": PARTNER}


@dataclass(slots=True)
class StormOutcome:
    """One storm: per side the generator's count, the highest rate where one was looked for, the capture's."""

    run: Path
    tallies: dict[str, Tally] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)
    wire: dict[str, WireRegistrations] = field(default_factory=dict)
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether everybody was registered, by the generator's count and by the capture's."""
        if self.reason:
            return False
        if self.highest:
            return all(rate > 0 for rate in self.highest.values())
        sides = self.tallies.items()
        return bool(sides) and all(
            one.all_ok and side in self.wire and self.wire[side].ok >= one.ok for side, one in sides
        )

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "run": str(self.run),
            "verdict": "pass" if self.passed else "fail",
            "failure": self.reason or None,
            "sides": {side: one.model_dump() for side, one in self.tallies.items()},
            "highest_rate": self.highest or None,
            "capture": {side: one.model_dump() for side, one in self.wire.items()},
        }


def storm(order: StormOrder, topology: Path | None, directory: Path | None, say: Say) -> StormOutcome:
    """Bring a lab with a crowd up, let it register, take the lab down, and return the figures.

    Raises:
        Misuse: the topology cannot be used, or the run directory has something in it.
    """
    if topology is not None:
        check_topology(topology, ("mc1", "mc2"))
    lab_id = new_lab_id()
    outcome = StormOutcome((directory or new_run_path("storm", lab_id)).absolute())
    options = [*supervisor_options(lab_id, outcome.run, topology), "--order", order.model_dump_json()]
    bars = _Bars(Console(stderr=True))
    completed = False
    try:
        with supervised(options, outcome.run, say) as supervisor, bars.progress:
            say(f"storm: {outcome.run}")
            for event in supervisor.events():
                _take(event, outcome, bars, say)
                completed |= event["event"] == "completed"
    finally:
        RunDirectory(outcome.run).give_to_caller()
    if not completed and not outcome.reason:
        outcome.reason = supervisor_log(outcome.run)
    if completed and not outcome.highest:
        _count_on_the_wire(outcome)
    return outcome


def _take(event: dict[str, Any], outcome: StormOutcome, bars: "_Bars", say: Say) -> None:
    match event["event"]:
        case "storm.progress":
            bars.show(event["side"], event["ended"], event["wanted"])
        case "storm.rate.tried":
            whole = event["legs_ms"].get("whole", {})
            say(
                f"{event['side']:<9}{event['rate']:>8g}/s  {event['ok']}/{event['wanted']} ok, "
                f"p99 {whole.get('p99', 0):g} ms, {event['retransmissions']} sent again, {event['failures'] or ''}"
            )
        case "step.done" if event["step"] == "Storm":
            _take_result(event["outcome"], outcome)
        case "failed":
            outcome.reason = event["reason"]
        case _:
            show_event(event, say)


def _take_result(result: dict[str, Any], outcome: StormOutcome) -> None:
    side = result["side"]
    if "tally" in result:
        outcome.tallies[side] = Tally.model_validate(result["tally"])
    else:
        outcome.highest[side] = result["highest_rate"]


def _count_on_the_wire(outcome: StormOutcome) -> None:
    try:
        by_system = read_registrations(outcome.run / RAW, outcome.run)
        outcome.wire = {side: by_system[SYSTEM[side]] for side in outcome.tallies if SYSTEM[side] in by_system}
    except DissectionFailed as exc:
        outcome.reason = str(exc)


class _Bars:
    """A progress bar a side, on standard error, where that is a terminal."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}

    def show(self, side: str, ended: int, wanted: int) -> None:
        """Show how far a side is."""
        if side not in self._tasks:
            self._tasks[side] = self.progress.add_task(side, total=wanted)
        self.progress.update(self._tasks[side], completed=ended, total=wanted)


def shown(outcome: StormOutcome, console: Console) -> None:
    """Print the figures for people."""
    for side, rate in outcome.highest.items():
        console.print(f"{side}: highest rate without a failure and within p99: {rate:g}/s")
    if not outcome.tallies:
        return
    table = Table("side", "leg", "p50 ms", "p90 ms", "p99 ms", "longest ms")
    for side, one in outcome.tallies.items():
        for leg, spread in one.legs_ms.items():
            figures = (spread.p50, spread.p90, spread.p99, spread.longest)
            table.add_row(side, leg, *(f"{value:.1f}" for value in figures))
        wire = outcome.wire[side].whole_ms if side in outcome.wire else None
        if wire is not None:
            table.add_row(side, "whole, capture", *(f"{v:.1f}" for v in (wire.p50, wire.p90, wire.p99, wire.longest)))
    console.print(table)
    for side, one in outcome.tallies.items():
        seen = outcome.wire[side].ok if side in outcome.wire else 0
        console.print(
            f"{side}: {one.ok} of {one.wanted} registered in {one.took_s:g} s; {one.tried_again} came again, "
            f"{one.retransmissions} sent again; the capture shows {seen}"
        )
        for code, count in one.failures.items():
            console.print(f"  {code}: {count}")
