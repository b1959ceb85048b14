"""10.6.1 on captures in which nothing happened at home."""

import pytest

from lab.evidence.checks import home
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence


@pytest.mark.parametrize("step", [home.step_1, home.step_2, home.step_3])
def test_what_happened_at_the_partner_is_nothing_at_home(step: object, asked: Evidence) -> None:
    assert step(asked.stories[0], asked).verdict is Verdict.NOT_EXPECTED  # type: ignore[operator]
