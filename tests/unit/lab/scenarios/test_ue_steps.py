"""What a UE does in a scenario is a frozen value that says itself."""

from dataclasses import is_dataclass
from typing import get_args

import pytest

from lab.scenarios import ue_steps
from lab.scenarios.model import Step

STEPS = [one for one in vars(ue_steps).values() if getattr(one, "__module__", "") == ue_steps.__name__]


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: str(kind.__name__))
def test_every_step_is_a_frozen_value_that_the_runner_knows(kind: type) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__
    assert kind in get_args(Step)


def test_a_registration_wants_200_and_asks_once_unless_told_otherwise() -> None:
    step = ue_steps.Register("ue1", "mc2")
    assert (step.status, step.patience_s, step.vouched_by) == (200, 0.0, None)
