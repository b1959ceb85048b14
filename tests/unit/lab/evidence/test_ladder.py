"""A ladder has the lanes of the figure, an arrow for each message and a box for what happens inside an entity."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from lab.evidence.checks.finding import Finding
from lab.evidence.ladder import FIGURES, STORIES_MAX, Findings, draw
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.steps import STEPS
from lab.evidence.story import Evidence, Story, read_stories

ABSENT = Finding(Verdict.NOT_EXPECTED)


@pytest.fixture
def evidence(make: SimpleNamespace) -> Evidence:
    messages = (
        make.diameter(10, "scscf", "proxy2"),
        make.diameter(12, "proxy2", "proxy1", stream=2),
        make.diameter(15, "proxy1", "hss", stream=3),
    )
    return read_stories(Capture(diameter=messages), make.facts())


def found(evidence: Evidence, **by_step: Finding) -> dict[str, Findings]:
    """Findings of one story; ``step_3`` is 10.6.2-3, all others did not take place."""
    given = {f"10.6.2-{name.removeprefix('step_')}": finding for name, finding in by_step.items()}
    return {step.id: [(story, given.get(step.id, ABSENT)) for story in evidence.stories] for step in STEPS}


def test_a_message_goes_from_lane_to_lane_and_names_the_frame_between_them(evidence: Evidence) -> None:
    (ladder,) = draw(
        evidence, found(evidence, step_3=Finding(Verdict.PASS, (12, 10)), step_5=Finding(Verdict.PASS, (12,)))
    )
    assert [(row.step, row.kind, row.source, row.destination, row.frame) for row in ladder.rows] == [
        ("10.6.2-3", "message", 1, 2, 10),
        ("10.6.2-5", "message", 2, 3, 12),
    ]
    assert [row.at_ms for row in ladder.rows] == [0.0, 2.0]
    assert ladder.lanes[1] == "SIP core / IMS (partner)"


def test_work_inside_an_entity_is_a_box_on_its_lane_without_a_frame(evidence: Evidence) -> None:
    (ladder,) = draw(
        evidence, found(evidence, step_3=Finding(Verdict.PASS, (10,)), step_4=Finding(Verdict.PASS, (10, 12)))
    )
    row = ladder.rows[1]
    assert (row.kind, row.source, row.destination, row.frame, row.at_ms) == ("inner", 2, 2, None, None)


def test_what_the_figure_draws_across_spans_all_lanes(evidence: Evidence) -> None:
    (ladder,) = draw(evidence, found(evidence, step_14=Finding(Verdict.PASS, (15,))))
    assert (ladder.rows[0].kind, ladder.rows[0].source, ladder.rows[0].destination) == ("span", 0, 4)


def test_a_message_whose_frame_went_elsewhere_is_drawn_without_one(evidence: Evidence) -> None:
    """A check that failed may name frames of another wire: the arrow must not claim them."""
    failed = Finding(Verdict.FAIL, (15,))
    (ladder,) = draw(evidence, found(evidence, step_3=Finding(Verdict.PASS, (10,)), step_5=failed))
    assert (ladder.rows[1].frame, ladder.rows[1].verdict) == (None, Verdict.FAIL)


def test_a_procedure_that_did_not_take_place_has_no_ladder(evidence: Evidence) -> None:
    assert draw(evidence, found(evidence)) == ()


def test_stories_that_share_a_procedure_share_its_ladder(evidence: Evidence) -> None:
    story: Story = evidence.stories[0]
    twice = replace(evidence, stories=(story, story))
    assert len(draw(twice, found(twice, step_3=Finding(Verdict.PASS, (10,))))) == 1


def test_a_run_of_a_thousand_users_draws_the_first_few(make: SimpleNamespace) -> None:
    many = range(1, STORIES_MAX + 3)
    capture = Capture(diameter=tuple(make.diameter(number, "scscf", "proxy2") for number in many))
    one = read_stories(capture, make.facts())
    evidence = replace(one, stories=one.stories * len(many))
    findings = found(evidence)
    findings["10.6.2-3"] = [(one.stories[0], Finding(Verdict.PASS, (number,))) for number in many]
    assert [ladder.rows[0].frame for ladder in draw(evidence, findings)] == list(many)[:STORIES_MAX]


def test_each_step_of_a_figure_ends_on_lanes_of_that_figure() -> None:
    for figure in FIGURES:
        steps = [step for step in STEPS if step.id.rpartition("-")[0] == figure.procedure]
        assert set(figure.ends) <= set(range(1, len(steps) + 1))
        assert {lane for ends in figure.ends.values() for lane in ends} <= set(figure.lanes)
