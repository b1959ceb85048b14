"""A scenario is data: its steps flatten in the order of what happens, and each says itself as JSON."""

import json

from lab.evidence.steps import STEP_IDS
from lab.faults.fault import Seen
from lab.scenarios import model
from lab.scenarios.model import During, Wait, check, describe, flat
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


def test_a_check_keeps_its_parameters() -> None:
    one = check("nothing-on", leg="csc-y")
    assert (one.name, dict(one.parameters)) == ("nothing-on", {"leg": "csc-y"})
