"""Steps 3 to 10: requests are judged without their answers, and answers that did not come prove nothing."""

from dataclasses import replace

import pytest

from lab.evidence.checks import authentication_information as information
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence


@pytest.mark.parametrize("step", [information.step_3, information.step_4, information.step_5])
def test_requests_by_hand_entered_bindings_are_proved(step: object, asked: Evidence) -> None:
    finding = step(asked.stories[0], asked)  # type: ignore[operator]
    assert (finding.verdict, finding.detail.replace("binding entered by hand", "direct")) in (
        (Verdict.PASS, ""),
        (Verdict.PASS, "direct"),
    )


@pytest.mark.parametrize("number", [6, 7, 8, 9, 10])
def test_what_did_not_come_is_absent(number: int, asked: Evidence) -> None:
    finding = getattr(information, f"step_{number}")(asked.stories[0], asked)
    assert finding.verdict is Verdict.NOT_EXPECTED


def test_an_identity_that_is_not_mapped_fails_steps_4_and_5(asked: Evidence) -> None:
    story = asked.stories[0]
    assert story.aaa_2 is not None and story.csc_y is not None
    same = story.csc_y._replace(request=replace(story.csc_y.request, avps=story.aaa_2.request.avps))
    finding = information.step_4(replace(story, csc_y_path=(same,)), asked)
    assert finding.verdict is Verdict.FAIL
    assert "User-Name was not mapped" in finding.detail
    assert "crosses CSC-Y" in information.step_5(replace(story, csc_y_path=(same,)), asked).detail
