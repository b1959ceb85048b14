"""There are thirty steps, and on a capture that shows nothing none is proved and none crashes."""

from types import SimpleNamespace

import pytest

from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.steps import STEP_IDS, STEPS, Step
from lab.evidence.story import read_stories


def test_there_are_thirty_steps() -> None:
    assert len(STEP_IDS) == len(set(STEP_IDS)) == 30


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_nothing_seen_proves_nothing(step: Step, make: SimpleNamespace) -> None:
    evidence = read_stories(Capture(), make.facts())
    finding = step.check(evidence.stories[0], evidence)
    assert finding.verdict is Verdict.NOT_EXPECTED
    assert finding.detail
