"""What is done to a system in a scenario is a frozen value that says itself."""

from dataclasses import is_dataclass
from typing import get_args

import pytest

from lab.scenarios import system_steps
from lab.scenarios.model import Step

STEPS = [one for one in vars(system_steps).values() if getattr(one, "__module__", "") == system_steps.__name__]


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: str(kind.__name__))
def test_every_step_is_a_frozen_value_that_the_runner_knows(kind: type) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__
    assert kind in get_args(Step)
