"""From a run directory to a report: dissect, find the stories, check each step, hold the scenario to its word.

A check that crashes makes its own line ``unknown``; this is one of the four places that catch Exception
(ARCHITECTURE.md), so that one slip of a check never hides the other findings.
"""

import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from lab.evidence import capture as capturing
from lab.evidence.checks import expectations, secrecy
from lab.evidence.checks.finding import Finding, absent
from lab.evidence.dissect import DissectionFailed, dissect
from lab.evidence.facts import RunFacts, load_facts, part_of
from lab.evidence.ladder import Findings, draw
from lab.evidence.messages import Frame
from lab.evidence.report import (
    CheckReport,
    ExpectationReport,
    Report,
    StepReport,
    Verdict,
    combined,
)
from lab.evidence.service_ladders import draw_services
from lab.evidence.steps import STEPS, Step
from lab.evidence.story import Evidence, Story, read_stories


class Promises(Protocol):
    """What a judge needs of a scenario (lab.scenarios.model has it whole).

    ``proves`` and ``absent`` hold step ids; ``checks`` are run by name from ``expectations.REGISTRY``.
    """

    @property
    def name(self) -> str: ...

    @property
    def what(self) -> str: ...

    @property
    def proves(self) -> Collection[str]: ...

    @property
    def absent(self) -> Collection[str]: ...

    @property
    def checks(self) -> Sequence[expectations.NamedCheck]: ...


ALWAYS: Final[tuple[tuple[str, Callable[[Evidence], Finding]], ...]] = (
    ("identities-stay-where-they-may-be-seen", secrecy.identities_stay),
    ("keys-never-reach-a-ue", secrecy.keys_stay),
    ("systems-talk-over-tls", secrecy.between_systems_is_tls),
    ("tls-was-readable", secrecy.tls_was_readable),
)


def judge(run_directory: Path, scenario: Promises) -> Report:
    """Return the verdict on a run, from its capture alone, and finish the capture with comments if it is raw.

    Raises:
        FactsMissing: ``run.json`` is missing or half written.
        CaptureError: there is no capture.
        DissectionFailed: tshark cannot read it.
    """
    facts = load_facts(run_directory)
    finished = run_directory / capturing.FINISHED
    if (run_directory / capturing.RAW).is_file() and not finished.is_file():
        capturing.finish(run_directory, facts.names())
        report = judge_capture(finished, facts, scenario, run_directory)
        capturing.finish(run_directory, facts.names(), comments_of(report))
        return report
    return judge_capture(finished, facts, scenario, run_directory)


def judge_capture(file: Path, facts: RunFacts, scenario: Promises, run_directory: Path) -> Report:
    """Return the verdict on one capture file.

    Raises:
        DissectionFailed: tshark cannot read it, or it is another network's.
    """
    capture = dissect(file)
    require_ours((payload.frame for payload in capture.payloads), facts, file)
    evidence = read_stories(capture, facts)
    return report_on(evidence, scenario, capture=str(file.resolve()), run=str(run_directory.resolve()))


def require_ours(frames: Iterable[Frame], facts: RunFacts, file: Path) -> None:
    """Make sure that one of these frames is from or to a host of the run; it is said in one line, not in thirty steps.

    Raises:
        DissectionFailed: none is.
    """
    ours = facts.names()
    frame = None
    for frame in frames:
        if frame.source in ours or frame.destination in ours:
            return
    if frame is not None:
        what = f"{frame.source} is in it, and no host of this run, as {next(iter(ours), 'none')}"
        raise DissectionFailed(f"{file}: another network's: {what}; mclab doctor takes any capture")


def report_on(evidence: Evidence, scenario: Promises, *, capture: str = "", run: str = "") -> Report:
    """Return the verdict on evidence: a pure function."""
    findings = {step.id: _findings(step, evidence) for step in STEPS}
    steps = tuple(_judged(step, findings[step.id], evidence, scenario) for step in STEPS)
    checks = tuple(_always(evidence)) + tuple(_named(evidence, scenario))
    promises = held_to(evidence.facts, _promises(steps, scenario), checks)
    return Report(
        scenario=scenario.name,
        what=scenario.what,
        verdict=combined(promise.verdict for promise in promises),
        steps=steps,
        checks=checks,
        expectations=promises,
        capture=capture,
        run=run,
        environment=evidence.facts.environment,
        ladders=(*draw(evidence, findings), *draw_services(evidence, (*steps, *checks))),
    )


def judge_step(step: Step, evidence: Evidence, scenario: Promises) -> StepReport:
    """Return the verdict on one step: of every story in which it took place, or its absence.

    A step that the scenario promises must have taken place for each UE that the scenario took through it.
    """
    return _judged(step, _findings(step, evidence), evidence, scenario)


def _findings(step: Step, evidence: Evidence) -> Findings:
    return [(story, careful(step, story, evidence)) for story in evidence.stories]


def _judged(step: Step, findings: Findings, evidence: Evidence, scenario: Promises) -> StepReport:
    there = [(story, finding) for story, finding in findings if finding.verdict is not Verdict.NOT_EXPECTED]
    absences = [finding for _, finding in findings if finding.verdict is Verdict.NOT_EXPECTED]
    finding = _joined([finding for _, finding in there]) if there else _joined_absence(absences)
    if step.id in scenario.proves:
        missing = _missing(step.id, {story.ue.name for story, _ in there}, evidence.facts)
        if not there:
            finding = replace(finding, verdict=Verdict.FAIL)
        elif missing:
            text = f"did not take place for {', '.join(missing)}"
            finding = replace(finding, verdict=Verdict.FAIL, detail="; ".join(filter(None, (text, finding.detail))))
    if there and step.id in scenario.absent:
        finding = replace(finding, verdict=Verdict.FAIL, detail="came, though this scenario ends before it")
    return step_report(step, finding)


def comments_of(report: Report) -> dict[int, str]:
    """Return frame number -> comment for the frames that prove a step."""
    comments: dict[int, list[str]] = {}
    for step in report.steps:
        if step.verdict in (Verdict.PASS, Verdict.FAIL):
            for number in step.frames:
                comments.setdefault(number, []).append(f"{step.id} {step.title} [{step.wire}]: {step.verdict}")
    return {number: "; ".join(lines) for number, lines in comments.items()}


def _missing(step_id: str, there: set[str], facts: RunFacts) -> list[str]:
    part = part_of(step_id)
    return [ue.name for ue in facts.ues if ue.name not in there and part in facts.takes_through(ue)]


def _always(evidence: Evidence) -> Iterable[CheckReport]:
    for name, check in ALWAYS:
        yield check_report(name, _careful(name, partial(check, evidence)))


def _named(evidence: Evidence, scenario: Promises) -> Iterable[CheckReport]:
    for check in scenario.checks:
        name = expectations.describe(check)
        yield check_report(name, _careful(name, partial(expectations.run_check, check, evidence)))


def step_report(step: Step, finding: Finding) -> StepReport:
    """Return the line of a step."""
    return StepReport(
        id=step.id,
        title=step.title,
        wire=step.wire,
        verdict=finding.verdict,
        frames=finding.frames,
        filter=finding.filter,
        detail=finding.detail,
    )


def check_report(name: str, finding: Finding) -> CheckReport:
    """Return the line of a check."""
    return CheckReport(
        name=name, verdict=finding.verdict, frames=finding.frames, filter=finding.filter, detail=finding.detail
    )


def held_to(
    facts: RunFacts, promises: Iterable[ExpectationReport], checks: Iterable[CheckReport]
) -> tuple[ExpectationReport, ...]:
    """Return what a run is held to: its end was reached, its scenario's promises of the steps, every check.

    What follows a step that failed would prove nothing.
    """
    verdict = Verdict.PASS if facts.completed and not facts.failure else Verdict.FAIL
    detail = facts.failure or ("" if facts.completed else "the run was cut off")
    carried_out = ExpectationReport(what="the scenario was carried out to its end", verdict=verdict, detail=detail)
    kept = (ExpectationReport(what=check.name, verdict=check.verdict, detail=check.detail) for check in checks)
    return (carried_out, *promises, *kept)


def _promises(steps: tuple[StepReport, ...], scenario: Promises) -> Iterable[ExpectationReport]:
    for step in steps:
        if step.id in scenario.proves:
            yield ExpectationReport(what=f"{step.id} is proved", verdict=step.verdict, detail=step.detail)
        elif step.id in scenario.absent:
            kept = Verdict.PASS if step.verdict is Verdict.NOT_EXPECTED else step.verdict
            yield ExpectationReport(what=f"{step.id} does not take place", verdict=kept, detail=step.detail)


def careful(step: Step, story: Story, evidence: Evidence) -> Finding:
    """Return what the check of a step finds in a story; ``unknown`` when it crashes."""
    return _careful(step.id, partial(step.check, story, evidence))


def _careful(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as exc:  # noqa: BLE001 - a lab check: unknown, never pass (ARCHITECTURE.md)
        last = traceback.extract_tb(exc.__traceback__)[-1]
        detail = f"the check {name} crashed: {type(exc).__name__}: {exc} ({Path(last.filename).name}:{last.lineno})"
        return Finding(Verdict.UNKNOWN, detail=detail)


def _joined(findings: list[Finding]) -> Finding:
    verdict = combined(finding.verdict for finding in findings)
    details = dict.fromkeys(
        f.detail for f in findings if f.detail and (f.verdict is verdict or verdict is Verdict.PASS)
    )
    filters = dict.fromkeys(finding.filter for finding in findings if finding.filter)
    return Finding(
        verdict,
        tuple(sorted({number for finding in findings for number in finding.frames})),
        " || ".join(f"({text})" for text in filters) if len(filters) > 1 else "".join(filters),
        "; ".join(details),
    )


def _joined_absence(findings: list[Finding]) -> Finding:
    return absent("; ".join(dict.fromkeys(finding.detail for finding in findings)) or "no UE in this run")
