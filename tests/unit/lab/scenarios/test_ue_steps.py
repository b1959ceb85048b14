"""What a UE does in a scenario: what a step wants where the scenario does not say."""

from lab.scenarios import ue_steps


def test_a_registration_wants_200_and_asks_once_unless_told_otherwise() -> None:
    step = ue_steps.Register("ue1", "mc2")
    assert (step.status, step.patience_s, step.vouched_by) == (200, 0.0, None)
