"""The verdict on a storm: each registration judged by the checks of its steps, counted, and forgotten.

A storm's capture is read once, in a stream: ten thousand registrations take little more memory than a hundred.
The report is that of every run; a step stands for all registrations, and names the first that failed in it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.evidence import capture as capturing
from lab.evidence.checks.finding import Finding, absent, frame_filter
from lab.evidence.crowd.cases import Case, Cases
from lab.evidence.crowd.lines import Arrival, arguments, read_arrivals
from lab.evidence.crowd.people import People
from lab.evidence.crowd.watch import Watch
from lab.evidence.dissect import DissectionFailed, stream_tshark
from lab.evidence.facts import RunFacts, load_facts
from lab.evidence.index import Index
from lab.evidence.judge import Promises, careful, check_report, comments_of, held_to, step_report
from lab.evidence.ladder import draw
from lab.evidence.report import ExpectationReport, Ladder, Report, StepReport, Verdict, combined
from lab.evidence.steps import STEPS
from lab.evidence.story import Evidence, Story, stories_of

FRAMES_SHOWN: Final = 8
FAULTS_SHOWN: Final = 3
LADDERS_SHOWN: Final = 4
# What one of the crowd does has no token, no CSC-4 and no service in it.
JUDGED: Final = {
    "native": tuple(step for step in STEPS if step.id in ("10.6.1-2", "10.6.1-3")),
    "migrated": tuple(
        step for step in STEPS if step.id.startswith("10.6.2-") and step.id not in ("10.6.2-1", "10.6.2-14")
    ),
}


@dataclass(slots=True)
class _Tally:
    """One step over all registrations."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    frames: dict[Verdict, list[int]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        self.verdicts[finding.verdict] += 1
        if len(self.frames[finding.verdict]) < FRAMES_SHOWN:
            self.frames[finding.verdict] += finding.frames
        if finding.verdict in (Verdict.FAIL, Verdict.UNKNOWN) and len(self.faults) < FAULTS_SHOWN:
            where = f"frame {finding.frames[0]}: " if finding.frames else ""
            self.faults.append(where + finding.detail)

    def finding(self) -> Finding:
        there = [verdict for verdict in self.verdicts if verdict is not Verdict.NOT_EXPECTED]
        if not there:
            return absent("no registration of this run came to it")
        verdict = combined(there)
        frames = tuple(sorted(self.frames[verdict])[:FRAMES_SHOWN])
        count, whole = self.verdicts[verdict], sum(self.verdicts[one] for one in there)
        detail = f"{count} of {whole} registrations"
        if verdict is not Verdict.PASS:
            detail = f"{detail}; {'; '.join(self.faults)}"
        return Finding(verdict, frames, frame_filter(frames), detail)


class Crowd:
    """Registrations by side as they are judged."""

    def __init__(self, facts: RunFacts, people: People) -> None:
        self._facts = facts
        self._people = people
        self._tallies = {step.id: _Tally() for steps in JUDGED.values() for step in steps}
        self.began: dict[str, set[int]] = {"native": set(), "migrated": set()}
        self.registered: dict[str, set[int]] = {"native": set(), "migrated": set()}
        self.registrations: Counter[str] = Counter()
        self.ok: Counter[str] = Counter()
        self.ladders: list[Ladder] = []

    def judge(self, case: Case) -> None:
        """Judge one registration, with what was tried again under its Call-ID."""
        capture = case.capture()
        index = Index(capture, self._facts)
        person = self._people.person(case.number)
        stories = tuple(s for s in stories_of(index, self._facts, person.ue, person.sets) if s.partner or s.home)
        evidence = Evidence(capture, self._facts, index, stories)
        for story in stories:
            self._count(case, story, evidence)

    def _count(self, case: Case, story: Story, evidence: Evidence) -> None:
        side = "migrated" if story.partner else "native"
        registration = story.partner or story.home
        assert registration is not None
        final = registration.final
        self.registrations[side] += 1
        self.began[side].add(case.number)
        findings = {step.id: careful(step, story, evidence) for step in JUDGED[side]}
        if final is not None and final.status == 200:
            self.ok[side] += 1
            self.registered[side].add(case.number)
            findings = {step_id: _there(finding, final.frame.number) for step_id, finding in findings.items()}
        for step_id, finding in findings.items():
            self._tallies[step_id].add(finding)
        failed = any(finding.verdict in (Verdict.FAIL, Verdict.UNKNOWN) for finding in findings.values())
        if (failed or self.registrations[side] == 1) and len(self.ladders) < LADDERS_SHOWN:
            alone = Evidence(evidence.capture, evidence.facts, evidence.index, (story,))
            self.ladders += draw(alone, {step_id: [(story, finding)] for step_id, finding in findings.items()})

    def steps(self) -> Iterator[StepReport]:
        """Yield each step of the procedures, for all registrations together."""
        for step in STEPS:
            tally = self._tallies.get(step.id)
            finding = tally.finding() if tally else absent("a storm has no such step")
            yield step_report(step, finding)

    def counts(self) -> Iterator[tuple[str, Finding]]:
        """Yield what a storm is held to, by name: who began was registered in the end."""
        for one in self._facts.steps:
            if one.get("step") == "Storm":
                side = str(one.get("side"))
                how = f"{self.ok[side]} of {self.registrations[side]} registrations"
                if one.get("find_rate"):
                    yield f"{side}: registrations", Finding(Verdict.PASS, detail=f"{how}; failures were looked for")
                    continue
                # Without a time, everybody begins once.
                wanted = len(self.began[side]) if one.get("for_s") else self._people.crowd.users
                ok = len(self.registered[side])
                kept = Verdict.PASS if ok >= wanted > 0 else Verdict.FAIL
                yield f"{side}: everybody is registered", Finding(kept, detail=f"{ok} of {wanted} users; {how}")


def judge_storm(run_directory: Path, scenario: Promises) -> Report:
    """Return the verdict on a storm's run, from its capture alone, and finish the capture with comments if it is raw.

    Raises:
        FactsMissing: ``run.json`` is missing or half written.
        CaptureError: there is no capture.
        DissectionFailed: tshark cannot read it, or it holds no payload.
    """
    facts = load_facts(run_directory)
    finished, raw = run_directory / capturing.FINISHED, run_directory / capturing.RAW
    if finished.is_file() or not raw.is_file():
        return judge_crowd(finished, None, facts, scenario, run_directory)
    report = judge_crowd(raw, capturing.merge_key_logs(run_directory), facts, scenario, run_directory)
    capturing.finish(run_directory, facts.names(), comments_of(report))
    return report.model_copy(update={"capture": str(finished.resolve())})


def judge_crowd(file: Path, key_log: Path | None, facts: RunFacts, scenario: Promises, run_directory: Path) -> Report:
    """Return the verdict on a storm's capture.

    Raises:
        DissectionFailed: tshark cannot read it, or it holds no payload.
    """
    keys = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    lines = stream_tshark(file, *keys, *arguments())
    return report_on_crowd(read_arrivals(lines), facts, scenario, capture=str(file.resolve()), run=str(run_directory))


def report_on_crowd(
    arrivals: Iterable[Arrival], facts: RunFacts, scenario: Promises, *, capture: str = "", run: str = ""
) -> Report:
    """Return the verdict on what came, each frame looked at once."""
    people = People(facts)
    watch, cases, crowd = Watch(facts, people), Cases(facts, people), Crowd(facts, people)
    for arrival in arrivals:
        watch.see(arrival)
        for case in cases.take(arrival):
            crowd.judge(case)
    for case in cases.rest():
        crowd.judge(case)
    if not watch.frames:
        raise DissectionFailed(f"{capture}: there is no frame with TCP or UDP in it")
    steps = tuple(crowd.steps())
    checks = tuple(check_report(name, finding) for name, finding in (*crowd.counts(), *watch.findings()))
    promises = held_to(facts, _kept(steps), checks)
    return Report(
        scenario=scenario.name,
        what=scenario.what,
        verdict=combined(promise.verdict for promise in promises),
        steps=steps,
        checks=checks,
        expectations=promises,
        capture=capture,
        run=run,
        environment=facts.environment,
        ladders=tuple(crowd.ladders),
    )


def _there(finding: Finding, registered: int) -> Finding:
    """Return what is found in a registration that ended with 200: each of its steps must have taken place."""
    if finding.verdict is not Verdict.NOT_EXPECTED:
        return finding
    return Finding(Verdict.FAIL, (registered,), detail=f"registered without this step: {finding.detail}")


def _kept(steps: Iterable[StepReport]) -> Iterator[ExpectationReport]:
    for step in steps:
        if step.verdict is not Verdict.NOT_EXPECTED:
            what = f"{step.id} is proved wherever it took place"
            yield ExpectationReport(what=what, verdict=step.verdict, detail=step.detail)
