"""What differs between two runs: verdicts of steps and checks, time per hop, fields that only one of them has.

A pure function of two runs as they were judged; ``same`` is about verdicts alone, for times and values always differ.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from lab.evidence.compare.fields import fields_of_steps
from lab.evidence.compare.timing import HopTime, hop_times
from lab.evidence.report import Report
from lab.evidence.story import Evidence

MISSING = "missing"


class Side(NamedTuple):
    """One run: its report and the evidence that it was made of."""

    report: Report
    evidence: Evidence


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VerdictDifference(_Value):
    """A step, a check or the whole, judged differently; ``missing`` where one run has no such check."""

    what: str
    first: str
    second: str
    detail: Annotated[str, Field(description="Why, of whichever did not pass.")] = ""


class TimeComparison(_Value):
    """One kind of hop in both runs; a run without it has no count and no median."""

    hop: str
    first_count: int
    second_count: int
    first_unanswered: int
    second_unanswered: int
    first_ms: float | None
    second_ms: float | None
    ratio: Annotated[float | None, Field(description="Second median by first.")] = None


class FieldDifference(_Value):
    """An AVP, a header or a member that the frames of a step have in one run only."""

    step: str
    name: str
    only_in: Annotated[int, Field(ge=1, le=2)]
    value: Annotated[str, Field(description="Empty where it may not be shown.")] = ""


class Comparison(_Value):
    """Two runs side by side."""

    first: str
    second: str
    same: Annotated[bool, Field(description="All verdicts are the same.")]
    verdicts: tuple[VerdictDifference, ...]
    times: tuple[TimeComparison, ...]
    fields: tuple[FieldDifference, ...]
    environment: Annotated[dict[str, tuple[str, str]], Field(description="Versions that differ.")] = {}


def compare(first: Side, second: Side) -> Comparison:
    """Return what differs."""
    verdicts = tuple(_verdicts(first.report, second.report))
    return Comparison(
        first=first.report.run,
        second=second.report.run,
        same=not verdicts,
        verdicts=verdicts,
        times=tuple(_times(hop_times(first.evidence), hop_times(second.evidence))),
        fields=tuple(_fields(first, second)),
        environment=_environment(first.report.environment, second.report.environment),
    )


def _verdicts(first: Report, second: Report) -> Iterator[VerdictDifference]:
    ours, theirs = _judged(first), _judged(second)
    for what in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get(what, (MISSING, "")), theirs.get(what, (MISSING, ""))
        if one[0] != other[0]:
            detail = next((text for verdict, text in (other, one) if verdict != "pass" and text), "")
            yield VerdictDifference(what=what, first=one[0], second=other[0], detail=detail)


def _judged(report: Report) -> dict[str, tuple[str, str]]:
    """Return what was judged -> verdict and detail, the whole first."""
    found = {"the run": (str(report.verdict), "")}
    found |= {step.id: (str(step.verdict), step.detail) for step in report.steps}
    return found | {check.name: (str(check.verdict), check.detail) for check in report.checks}


def _times(first: Mapping[str, HopTime], second: Mapping[str, HopTime]) -> Iterator[TimeComparison]:
    none = HopTime(0, 0, None)
    for hop in dict.fromkeys((*first, *second)):
        one, other = first.get(hop, none), second.get(hop, none)
        ratio = round(other.median_ms / one.median_ms, 2) if one.median_ms and other.median_ms else None
        yield TimeComparison(
            hop=hop,
            first_count=one.answered,
            second_count=other.answered,
            first_unanswered=one.unanswered,
            second_unanswered=other.unanswered,
            first_ms=one.median_ms,
            second_ms=other.median_ms,
            ratio=ratio,
        )


def _fields(first: Side, second: Side) -> Iterator[FieldDifference]:
    """Yield the differences of the steps that took place in both: the others are differences of verdicts."""
    ours = fields_of_steps(first.report.steps, first.evidence)
    theirs = fields_of_steps(second.report.steps, second.evidence)
    for step, one in ours.items():
        other = theirs.get(step, {})
        if not one or not other:
            continue
        for name in sorted(one.keys() ^ other.keys()):
            only_in = 1 if name in one else 2
            value = one[name] if only_in == 1 else other[name]
            yield FieldDifference(step=step, name=name, only_in=only_in, value=value)


def _environment(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = dict.fromkeys((*first, *second))
    pairs = {name: (first.get(name, MISSING), second.get(name, MISSING)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
