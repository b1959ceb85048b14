"""Both kinds of agents are proved by a scenario of the library, with the same promises."""

from lab.scenarios.agents import AGENTS
from lab.scenarios.library import SCENARIOS


def test_each_kind_of_agents_has_a_scenario_in_both_systems() -> None:
    kinds = [set(scenario.settings.values()) for scenario in AGENTS]
    assert kinds == [{"freediameter"}, {"diameter-proxy"}]
    assert all(set(one.settings) == {"systems.mc1.agents", "systems.mc2.agents"} for one in AGENTS)


def test_every_step_is_promised_and_the_agents_by_name() -> None:
    for scenario in AGENTS:
        assert SCENARIOS[scenario.name] is scenario
        assert {"10.6.2-5", "10.6.2-6", "10.6.2-7", "10.6.2-8"} <= set(scenario.proves)
        assert "through-agents" in {check.name for check in scenario.checks}
