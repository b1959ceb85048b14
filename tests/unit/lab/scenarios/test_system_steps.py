"""What is done to a system in a scenario: what a step means where the scenario does not say."""

from lab.scenarios import system_steps


def test_a_storm_lasts_until_each_has_registered_once_and_waits_as_long_as_sip_does() -> None:
    """RFC 3261 §17.1.2.2: timer F, 32 s."""
    step = system_steps.Storm("ue1", "migrated", rate=50.0)
    assert (step.for_s, step.deregister, step.timeout_s) == (None, False, 32.0)
