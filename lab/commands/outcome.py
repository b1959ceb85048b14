"""One run of a scenario and its verdict, as a line, as JSON, as a yes or no."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.evidence.report import Report


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
