"""What one peer may ask, and how often."""

import pytest

from diameter_proxy.diameter.commands import UAR
from diameter_proxy.hot_path import locate
from diameter_proxy.permits import Permit

MAR = 303


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({}, None),
        ({"commands": frozenset({MAR})}, None),
        ({"commands": frozenset({UAR.code})}, 3001),
        ({"origin_realms": frozenset({b"ims.mc2.lab"})}, None),
        ({"origin_realms": frozenset({b"ims.mc3.lab"})}, 5003),
        ({"identity_domains": frozenset({b"ims.mc2.lab"})}, None),
        ({"identity_domains": frozenset({b"ims.mc3.lab"})}, 5003),
    ],
)
def test_a_list_that_does_not_name_it_refuses(made, limits, code):
    message = made.mar()
    refusal = Permit(Clock(), **limits).refusal(MAR, message, locate(message))
    assert (refusal.result_code if refusal else None) == code


def test_a_bucket_lets_a_burst_through_and_then_its_rate(made):
    clock, message = Clock(), made.mar()
    permit = Permit(clock, requests_per_s=2.0, burst=3)

    def taken():
        return sum(permit.refusal(MAR, message, locate(message)) is None for _ in range(10))

    assert taken() == 3
    clock.now += 1.0
    assert taken() == 2
    clock.now += 100.0
    assert taken() == 3
    assert permit.refusal(MAR, message, locate(message)).result_code == 3004
