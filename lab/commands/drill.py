"""``mclab drill chaos``: programs die while users migrate; what each run came to, and how to repeat one.

A lab lives for some runs, then its capture is judged whole: no identity where it may not be, no key at a UE, TLS
between systems.  A run that fails ends its lab; the next one has a new lab.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.commands.errors import Failure
from lab.commands.outcome import RunOutcome
from lab.commands.progress import Say, show_event
from lab.commands.starting import supervised, supervisor_log, supervisor_options
from lab.evidence.report import Report, Verdict
from lab.run_directory import RunDirectory, new_lab_id, new_run_path
from lab.scenarios.chaos import ChaosRun
from lab.scenarios.orders import ChaosOrder

RUNS_A_LAB: Final = 10
SHOWN_EVENTS: Final = frozenset({"lab.up", "lab.retried", "lab.down"})


@dataclass(slots=True)
class LabLife:
    """One lab of a drill: its runs, and what is wrong with its capture or with the lab itself."""

    directory: Path
    runs: list[ChaosRun] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DrillOutcome:
    """A whole drill."""

    seed: str
    wanted: int
    lives: list[LabLife] = field(default_factory=list)

    @property
    def runs(self) -> list[ChaosRun]:
        """Every run that was done."""
        return [run for life in self.lives for run in life.runs]

    @property
    def passed(self) -> bool:
        """Whether every run was done, and nothing is wrong with any, nor with a capture."""
        is_clean = not any(life.faults for life in self.lives) and not any(run.faults for run in self.runs)
        return is_clean and len(self.runs) == self.wanted

    def failures(self) -> list[str]:
        """Return a line for each failure, with how to repeat it."""
        lines = []
        for life in self.lives:
            lines += [
                f"{run.line()}\n  repeat: {self._repeat(run.strike.number, 1)}" for run in life.runs if run.faults
            ]
            if life.faults:
                again = self._repeat(life.runs[0].strike.number, len(life.runs)) if life.runs else "the same command"
                lines.append(f"fail  {life.directory}: {'; '.join(life.faults)}\n  repeat: {again}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "seed": self.seed,
            "wanted": self.wanted,
            "verdict": "pass" if self.passed else "fail",
            "labs": [
                {
                    "run": str(life.directory),
                    "faults": life.faults,
                    "runs": [run.as_json() | {"verdict": "fail" if run.faults else "pass"} for run in life.runs],
                }
                for life in self.lives
            ],
        }

    def _repeat(self, first: int, runs: int) -> str:
        return f"mclab drill chaos --seed {self.seed} --first {first} --runs {runs}"


def chaos(seed: str, first: int, runs: int, directory: Path | None, say: Say) -> DrillOutcome:
    """Do runs ``first`` and the next, some in each lab.

    Raises:
        Misuse: the directory has something in it.
    """
    outcome = DrillOutcome(seed, runs)
    number, end = first, first + runs
    while number < end:
        order = ChaosOrder(kind="chaos", seed=seed, first=number, last=min(number + RUNS_A_LAB, end) - 1)
        life = _live(order, directory, say)
        outcome.lives.append(life)
        if not life.runs:  # the lab did not even come up: the next one would not either
            break
        number = life.runs[-1].strike.number + 1
    return outcome


def _live(order: ChaosOrder, directory: Path | None, say: Say) -> LabLife:
    lab_id = new_lab_id()
    run = directory / f"runs-{order.first}-{order.last}" if directory else new_run_path("chaos", lab_id)
    life = LabLife(run.absolute())
    options = [*supervisor_options(lab_id, life.directory, None), "--order", order.model_dump_json()]
    completed = False
    try:
        with supervised(options, life.directory, say) as supervisor:
            say(f"runs {order.first} to {order.last}: {life.directory}")
            for event in supervisor.events():
                if event["event"] == "chaos.run":
                    life.runs.append(ChaosRun.from_json(event["run"]))
                    say(life.runs[-1].line())
                elif event["event"] == "failed":
                    life.faults.append(event["reason"].splitlines()[0])
                elif event["event"] == "completed":  # the capture is whole: it is judged while the lab goes down
                    completed = True
                    life.faults += _leaks(life.directory)
                elif event["event"] in SHOWN_EVENTS:
                    show_event(event, say)
    finally:
        RunDirectory(life.directory).give_to_caller()
    if not completed and not life.faults:
        life.faults.append(supervisor_log(life.directory).splitlines()[-1])
    return life


def _leaks(directory: Path) -> list[str]:
    """Return what the capture shows that it may not; the checks are those of every run."""
    from lab.commands.verdicts import judge_run

    outcome = RunOutcome("chaos", directory)
    try:
        judge_run(outcome, show=False)
    except Failure as exc:
        return [str(exc)]
    return faults_of(outcome.report) if outcome.report is not None else ["there is no report"]


def faults_of(report: Report) -> list[str]:
    """Return each check of the capture that does not hold."""
    return [f"{check.name}: {check.detail}" for check in report.checks if check.verdict is not Verdict.PASS]
