"""Steps 5 to 8 through agents of both SIP cores (TS 23.280 CR, 10.6.2 NOTE 2 and NOTE 3), on a real capture.

The capture is of `with-dra`: freeDiameter between the proxies and before the HSS.  Each mutation fails the step whose
message it changes, and no other.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from lab.evidence.dissect import dissect
from lab.evidence.facts import load_facts
from lab.evidence.judge import judge_step, report_on
from lab.evidence.messages import Capture, DiameterMessage
from lab.evidence.report import Verdict
from lab.evidence.steps import STEPS
from lab.evidence.story import Evidence, Story, read_stories
from lab.scenarios.library import SCENARIOS

VECTOR = Path(__file__).parents[1] / "vectors" / "captures" / "with-dra"
ROUTE_RECORD, USER_NAME, ERROR_MESSAGE = 282, 1, 281


@cache
def real() -> Evidence:
    return read_stories(dissect(VECTOR / "capture.pcapng"), load_facts(VECTOR))


def migrated(evidence: Evidence) -> Story:
    return next(story for story in evidence.stories if story.partner is not None and story.hss_path)


def edited(message: DiameterMessage | None, **changes: object) -> Capture:
    capture = real().capture
    assert message in capture.diameter
    return replace(capture, diameter=tuple(replace(m, **changes) if m is message else m for m in capture.diameter))


def test_every_step_is_proved_and_5_to_8_say_through_which_agents() -> None:
    report = report_on(real(), SCENARIOS["with-dra"])
    assert report.verdict is Verdict.PASS
    shown = {step.id: (step.detail, len(step.frames)) for step in report.steps}
    between, before = "through agents: edge.mc2.lab, edge.mc1.lab", "through agents: dra.mc1.lab"
    assert shown["10.6.2-5"] == (between, 3)
    assert shown["10.6.2-8"] == (between, 3)
    assert shown["10.6.2-6"] == (before, 2)
    assert shown["10.6.2-7"] == (before, 2)


def without(message: DiameterMessage | None, code: int) -> Capture:
    assert message is not None
    return edited(message, avps=tuple(avp for avp in message.avps if avp.code != code))


def kept_hop_by_hop(story: Story) -> Capture:
    first, second, _ = story.csc_y_path
    kept = {m: replace(m, hop_by_hop=first.request.hop_by_hop) for m in (second.request, second.answer) if m}
    capture = real().capture
    return replace(capture, diameter=tuple(kept.get(m, m) if m in second else m for m in capture.diameter))


def lost_route_record(story: Story) -> Capture:
    return without(story.csc_y_path[2].request, ROUTE_RECORD)


def plain_between_agents(story: Story) -> Capture:
    return edited(story.csc_y_path[1].request, is_tls=False)


def lost_identity_before_the_hss(story: Story) -> Capture:
    return without(story.hss_path[0].request, USER_NAME)


def changed_answer_of_the_dra(story: Story) -> Capture:
    return without(story.hss_path[0].answer, USER_NAME)


def another_answer_between_agents(story: Story) -> Capture:
    answer = story.csc_y_path[1].answer
    return edited(answer, end_to_end=1)


@pytest.mark.parametrize(
    ("mutation", "step", "because"),
    [
        (kept_hop_by_hop, "10.6.2-5", "kept the Hop-by-Hop"),
        (lost_route_record, "10.6.2-5", "Route-Record"),
        (plain_between_agents, "10.6.2-5", "not over TLS"),
        (lost_identity_before_the_hss, "10.6.2-6", "an agent changed AVPs"),
        (changed_answer_of_the_dra, "10.6.2-7", "an agent changed AVPs"),
        (another_answer_between_agents, "10.6.2-8", "End-to-End"),
    ],
)
def test_what_an_agent_must_not_do_fails_its_step(
    mutation: Callable[[Story], Capture], step: str, because: str
) -> None:
    evidence = read_stories(mutation(migrated(real())), real().facts)
    reports = {one.id: judge_step(one, evidence, SCENARIOS["with-dra"]) for one in STEPS}
    assert [name for name, report in reports.items() if report.verdict is not Verdict.PASS] == [step]
    assert because in reports[step].detail
