"""An order on a command line becomes a scenario that the topology carries."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.scenarios.orders import AttachOrder, ChaosOrder, StormOrder, scenario_of_order, storm_scenario
from lab.scenarios.system_steps import Chaos, EnterCrowd, Preflight, Storm
from lab.scenarios.ue_steps import Move
from lab.topology import load_topology


def test_a_storm_of_both_sides_enters_bindings_then_registers_at_home_then_abroad() -> None:
    order = StormOrder(kind="storm", users=7, rate=50, sides=("native", "migrated"))
    scenario = scenario_of_order(order.model_dump_json())
    assert [type(step) for step in scenario.steps] == [EnterCrowd, Move, Storm, Move, Storm]
    assert [step.system for step in scenario.steps if isinstance(step, Move)] == ["mc1", "mc2"]
    topology = load_topology(settings=scenario.settings).restricted_to(scenario.systems, scenario.ues)
    assert len(list(topology.crowd_of("mc1"))) == 7
    assert list(topology.crowd_of("mc2")) == []


def test_a_native_storm_needs_no_binding() -> None:
    scenario = storm_scenario(StormOrder(kind="storm", users=1, rate=1, sides=("native",)))
    assert not [step for step in scenario.steps if isinstance(step, EnterCrowd)]


@pytest.mark.parametrize("text", ["{}", "no json", '{"kind": "storm", "users": 0, "rate": 1, "sides": ["native"]}'])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        scenario_of_order(text)


def test_a_drill_is_one_step_in_a_lab_where_what_is_given_back_is_soon_free() -> None:
    scenario = scenario_of_order(ChaosOrder(kind="chaos", seed="s", first=11, last=20).model_dump_json())
    (step,) = scenario.steps
    assert isinstance(step, Chaos)
    assert (step.first, step.last, step.seed) == (11, 20, "s")
    system = load_topology(settings=scenario.settings).systems["mc2"]
    assert (system.held_s, system.quarantine_s) == (3, 1)


def test_an_attachment_is_checked_before_anybody_migrates() -> None:
    file = Path(__file__).parents[3] / "lab" / "cores" / "attach.toml"
    whole = scenario_of_order(AttachOrder(kind="attach", file=file).model_dump_json())
    checked = scenario_of_order(AttachOrder(kind="attach", file=file, check=True).model_dump_json())
    assert isinstance(whole.steps[0], Preflight)
    assert checked.steps == whole.steps[:1]
    assert "10.6.2-13" in whole.proves
    assert checked.proves == ()
    load_topology(settings=whole.settings).restricted_to(whole.systems, whole.ues)
