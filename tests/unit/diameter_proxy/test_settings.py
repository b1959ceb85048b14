"""Limits of the running program."""

from diameter_proxy.settings import Settings


def test_budgets_fall_from_hop_to_hop_unless_told_otherwise():
    settings = Settings("h", "r", frozenset(), b"")
    assert settings.aaa_2_s > settings.csc_y_s > settings.hss_s > settings.attempt_s
