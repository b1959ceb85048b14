"""Each trait that the HSS simulator can have is proved by a scenario."""

from lab.scenarios.library import SCENARIOS
from lab.scenarios.profiles import PROFILES
from lab.systems.hss.config import Mode


def test_every_mode_of_the_hss_has_a_scenario() -> None:
    tried = {value for scenario in SCENARIOS.values() for key, value in scenario.settings.items() if "hss_mode" in key}
    assert tried == {mode.value for mode in Mode} - {Mode.PLAIN.value}


def test_profiles_are_in_the_library() -> None:
    assert {scenario.name for scenario in PROFILES} <= set(SCENARIOS)
