"""run.json: what a judge must know; a missing or half-written one is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.evidence.facts import FactsMissing, RunFacts, ServiceArea, load_facts, part_of

FACTS: dict[str, Any] = {
    "scenario": "migration",
    "hosts": {"10.77.1.14": "proxy1.mc1.lab", "10.77.2.10": "pcscf.mc2.lab"},
    "systems": [{"name": "mc1", "home_domain": "ims.mc1.lab"}],
    "ues": [
        {
            "name": "ue1",
            "system": "mc1",
            "mc_service_id": "sip:alice@mc1.lab",
            "private_user_identity": "1@ims.mc1.lab",
            "public_user_identities": ["sip:alice@ims.mc1.lab"],
            "addresses": ["10.77.1.21", "10.77.2.21"],
        }
    ],
}


def test_an_address_has_a_role_and_a_system() -> None:
    facts = RunFacts.model_validate(FACTS)
    assert (facts.role("10.77.1.14"), facts.system_of("10.77.1.14")) == ("proxy", "mc1")
    assert (facts.role("10.77.2.21"), facts.system_of("10.77.2.21")) == ("ue", "")
    assert (facts.role("192.0.2.1"), facts.system_of("192.0.2.1")) == ("", "")
    assert facts.names()["10.77.2.21"] == "ue1"


def test_an_unknown_system_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        RunFacts.model_validate(FACTS).system("mc9")


SQUARE = ServiceArea(polygon=((25.1, 60.1), (25.3, 60.1), (25.3, 60.3), (25.1, 60.3)), ecgi=("00102-0000201",))


@pytest.mark.parametrize(
    ("location", "held"),
    [
        ({"coordinates": {"latitude": 60.2, "longitude": 25.2}}, True),
        ({"coordinates": {"latitude": 60.2, "longitude": 25.0}}, False),
        ({"ecgi": "00102-0000201"}, True),
        ({"ecgi": "00101-0000201"}, False),
        ({}, False),
    ],
)
def test_an_area_holds_its_points_and_cells(location: dict[str, object], held: bool) -> None:
    assert SQUARE.holds(location) is held


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FactsMissing, match=r"run\.json.*is this a run directory"):
        load_facts(tmp_path)


@pytest.mark.parametrize("text", ['{"scenario": "migr', "[]", json.dumps({**FACTS, "ues": 3})])
def test_a_half_written_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FactsMissing, match=r"run\.json"):
        load_facts(tmp_path)


def steps(*given: dict[str, object]) -> RunFacts:
    return RunFacts.model_validate({**FACTS, "steps": given})


@pytest.mark.parametrize(
    ("step", "part"),
    [
        ({"step": "Authenticate", "ue": "ue1", "system": "mc1"}, "10.6.1-1"),
        ({"step": "Authenticate", "ue": "ue1", "system": "mc2"}, "10.6.2-1"),
        ({"step": "Register", "ue": "ue1", "system": "mc1", "status": 200}, "10.6.1"),
        ({"step": "Register", "ue": "ue1", "system": "mc2", "status": [200, 202]}, "10.6.2"),
        ({"step": "GetConnectionDetails", "ue": "ue1", "status": 200}, "10.1.X.1"),
        ({"step": "Message", "sender": "ue3", "receiver": "ue1", "receiver_system": "mc2", "status": 200}, "10.6.2-14"),
    ],
)
def test_a_step_of_the_scenario_takes_a_ue_through_a_part(step: dict[str, object], part: str) -> None:
    facts = steps(step)
    assert facts.takes_through(facts.ues[0]) == {part}


@pytest.mark.parametrize(
    "step",
    [
        {"step": "Register", "ue": "ue1", "system": "mc2", "status": 403},
        {"step": "Register", "ue": "ue2", "system": "mc2", "status": 200},
        {"step": "Message", "sender": "ue3", "receiver": "ue1", "receiver_system": "mc1"},
        {"step": "Move", "ue": "ue1", "system": "mc2"},
    ],
)
def test_what_is_refused_or_of_another_ue_promises_nothing(step: dict[str, object]) -> None:
    facts = steps(step)
    assert facts.takes_through(facts.ues[0]) == frozenset()


@pytest.mark.parametrize(
    ("step", "part"), [("10.6.1-1", "10.6.1-1"), ("10.6.1-3", "10.6.1"), ("10.6.2-14", "10.6.2-14")]
)
def test_a_step_is_of_a_part(step: str, part: str) -> None:
    assert part_of(step) == part


def test_identities_that_were_entered_by_hand_are_known() -> None:
    entered = {
        "step": "EnterConnectionDetails",
        "ue": "ue1",
        "private_user_identity": "a",
        "public_user_identities": ["b"],
    }
    assert steps(entered).entered("ue1") == {"a", "b"}
    assert steps(entered).entered("ue2") == frozenset()


@pytest.mark.parametrize("name", ["../../../../etc", "/etc", "..", "a/b", "", "ue1\n", "\x1b[2J", "a\x00b", "a" * 65])
def test_a_name_of_a_ue_leads_out_of_no_run(tmp_path: Path, name: str) -> None:
    """It names a folder of the run (``etc/NAME``), and a run directory may be a stranger's."""
    (tmp_path / "run.json").write_text(json.dumps({**FACTS, "ues": [{**FACTS["ues"][0], "name": name}]}))
    with pytest.raises(FactsMissing, match=r"run\.json: ues\.0\.name: ") as refused:
        load_facts(tmp_path)
    assert "\n" not in str(refused.value)
