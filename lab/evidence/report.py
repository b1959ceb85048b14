"""The report of a run: verdict per step, per check and per expectation (docs/report.md has the schema in words).

A verdict comes from the capture alone.  A check that crashed makes its line ``unknown``, and the run never ``pass``.
"""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NO_SECURITY_ASSOCIATION = "The lab sets up no IPsec between UE and P-CSCF (TS 33.203); no verdict depends on it"


class Verdict(StrEnum):
    """``not-expected``: the scenario ends before this step, and its absence was checked."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_EXPECTED = "not-expected"


class Line(BaseModel):
    """A frozen part of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StepReport(Line):
    """One step of the procedures, for all users of the run together."""

    id: Annotated[str, Field(examples=["10.6.2-5"])]
    title: str
    wire: str
    verdict: Verdict
    frames: tuple[int, ...] = ()
    filter: Annotated[str, Field(description="Wireshark display filter that shows the frames.")] = ""
    detail: str = ""

    @property
    def procedure(self) -> str:
        """The clause of TS 23.280 that the step is of."""
        return self.id.rpartition("-")[0]


class CheckReport(Line):
    """One named check over the whole capture."""

    name: str
    verdict: Verdict
    frames: tuple[int, ...] = ()
    filter: str = ""
    detail: str = ""


class ExpectationReport(Line):
    """What the scenario promised, and whether it came."""

    what: str
    verdict: Verdict
    detail: str = ""


class LadderRow(Line):
    """One step of a ladder: a message between two lanes, work inside one, or something that spans all of them.

    ``frame`` is the frame that is drawn, ``at_ms`` how long after the ladder's first frame it was captured; both are
    absent for what no frame shows by itself.  ``fields`` are key AVPs or headers, without keys, vectors and tokens.
    A row of a service has no verdict where no step and no check names its frame.
    """

    step: str
    title: str
    wire: str
    kind: Literal["message", "inner", "span"]
    source: Annotated[int, Field(ge=0, description="Index of the lane that it leaves.")]
    destination: Annotated[int, Field(ge=0, description="Index of the lane that it reaches.")]
    verdict: Verdict | None
    frame: int | None = None
    at_ms: float | None = None
    fields: tuple[tuple[str, str], ...] = ()


class Ladder(Line):
    """One procedure as one UE went through it, drawn as the specification's figure of it is, or a service it had."""

    procedure: str
    title: str
    ue: str
    lanes: tuple[str, ...]
    rows: tuple[LadderRow, ...]


class Report(Line):
    """Everything that a run proves.  ``run`` and ``capture`` are absolute paths."""

    scenario: str
    what: str
    verdict: Verdict
    steps: tuple[StepReport, ...]
    checks: tuple[CheckReport, ...]
    expectations: tuple[ExpectationReport, ...]
    capture: str
    run: str
    environment: dict[str, str]
    security_association: str = NO_SECURITY_ASSOCIATION
    ladders: tuple[Ladder, ...] = ()

    def step(self, step_id: str) -> StepReport:
        """Return one step.

        Raises:
            KeyError: there is no such step.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def save(self, directory: Path) -> None:
        """Write ``report.json`` into the run directory."""
        (directory / "report.json").write_text(self.model_dump_json(indent=2) + "\n")


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of many: one failure fails, else one unknown is unknown, else pass."""
    found = set(verdicts)
    if Verdict.FAIL in found:
        return Verdict.FAIL
    if Verdict.UNKNOWN in found:
        return Verdict.UNKNOWN
    return Verdict.PASS
