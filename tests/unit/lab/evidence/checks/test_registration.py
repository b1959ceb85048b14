"""Steps 1, 2 and 11 to 14 on a REGISTER that nobody answered."""

from dataclasses import replace

import pytest

from lab.evidence.checks import registration
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, LentSets


def test_a_register_with_an_identity_of_the_lent_range_is_step_2(asked: Evidence) -> None:
    assert registration.step_2(asked.stories[0], asked).verdict is Verdict.PASS


def test_a_register_with_another_identity_than_was_lent_fails(asked: Evidence) -> None:
    story = replace(asked.stories[0], sets=LentSets(("p", "sip:p"), ("mig-b@ims.mc2.lab", "sip:mig-b@ims.mc2.lab")))
    finding = registration.step_2(story, asked)
    assert finding.verdict is Verdict.FAIL
    assert "IMPI" in finding.detail


@pytest.mark.parametrize("number", [1, 11, 12, 13, 14])
def test_what_did_not_come_is_absent(number: int, asked: Evidence) -> None:
    assert getattr(registration, f"step_{number}")(asked.stories[0], asked).verdict is Verdict.NOT_EXPECTED
