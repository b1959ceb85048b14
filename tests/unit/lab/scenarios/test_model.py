"""A scenario is data: its steps flatten in the order of what happens, and each says itself as JSON."""

import json
from dataclasses import is_dataclass
from types import ModuleType
from typing import get_args

import pytest

from lab.evidence.steps import STEP_IDS
from lab.faults.fault import Seen
from lab.scenarios import model, system_steps, ue_steps
from lab.scenarios.model import During, Step, Wait, check, describe, flat
from lab.scenarios.system_steps import Kill, Start
from lab.scenarios.ue_steps import Register


def test_the_step_ids_are_those_of_the_evidence() -> None:
    assert (*model.HOME, *model.CONNECTIVITY, *model.MIGRATION) == STEP_IDS


def test_what_happens_during_a_step_comes_right_after_it() -> None:
    inner = During(Register("ue1", "mc2"), (Kill("mms.mc1"), During(Wait(1), (Start("mms.mc1"),))))
    assert list(flat((Wait(0), inner, Wait(2)))) == [
        Wait(0),
        Register("ue1", "mc2"),
        Kill("mms.mc1"),
        Wait(1),
        Start("mms.mc1"),
        Wait(2),
    ]


def test_a_step_says_itself_with_what_is_under_way() -> None:
    said = describe(During(Register("ue1", "mc2", status=504), (Kill("hss.mc1"),), Seen("MAR", "hss")))
    assert json.loads(json.dumps(said)) == said
    assert said["during"] == {
        "step": "Register", "ue": "ue1", "system": "mc2", "expires": 600, "status": 504, "patience_s": 0.0,
        "vouched_by": None,
    }  # fmt: skip
    assert said["meanwhile"] == [{"step": "Kill", "host": "hss.mc1"}]
    assert said["when"] is not None
    assert describe(During(Wait(1), ()))["when"] is None


@pytest.mark.parametrize("kind", get_args(Step), ids=lambda kind: str(kind.__name__))
def test_every_step_is_a_frozen_value_that_says_what_it_is(kind: type) -> None:
    assert is_dataclass(kind)
    assert vars(kind)["__dataclass_params__"].frozen
    assert kind.__doc__


@pytest.mark.parametrize("module", [ue_steps, system_steps], ids=lambda module: str(module.__name__))
def test_the_runner_is_given_every_step_that_there_is(module: ModuleType) -> None:
    assert {one for one in vars(module).values() if is_dataclass(one) and one.__module__ == module.__name__} <= {
        *get_args(Step)
    }


def test_a_check_keeps_its_parameters() -> None:
    one = check("nothing-on", leg="csc-y")
    assert (one.name, dict(one.parameters)) == ("nothing-on", {"leg": "csc-y"})
