"""The scenarios of services are in the library, and a call is judged by the check of its own kind."""

from lab.scenarios.library import SCENARIOS
from lab.scenarios.services import SERVICES
from lab.scenarios.ue_steps import Call


def test_services_are_in_the_library() -> None:
    assert {scenario.name for scenario in SERVICES} <= set(SCENARIOS)


def test_each_call_of_a_scenario_has_its_check() -> None:
    for scenario in SERVICES:
        made = {(step.caller, step.callee, step.status) for step in scenario.steps if isinstance(step, Call)}
        judged = {
            (check.parameters["caller"], check.parameters["callee"], check.parameters.get("status", 200))
            for check in scenario.checks
            if check.name in ("called", "call-refused")
        }
        assert made == judged
