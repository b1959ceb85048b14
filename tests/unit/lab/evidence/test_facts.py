"""run.json: what a judge must know; a missing or half-written one is refused in one line."""

import json
from pathlib import Path

import pytest

from lab.evidence.facts import FactsMissing, RunFacts, ServiceArea, load_facts

FACTS = {
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
