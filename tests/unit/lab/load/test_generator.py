"""What the load generator is told; what it does over sockets is in tests/integration/lab/test_load_generator.py."""

from typing import Any

import pytest
from pydantic import ValidationError

from lab.load.generator import Order

PLACE = {"home_domain": "ims.mc1.lab", "plmn": "00101", "lent_prefix": "mig-"}
WHOLE: dict[str, Any] = {
    "crowd": {"home": "mc1", "partner": "mc2", "users": 1},
    "home": PLACE,
    "partner": PLACE,
    "side": "native",
    "address": "127.0.0.1",
    "p_cscf": ["127.0.0.1", 5060],
    "rate": 50,
}


def test_a_whole_order_is_taken() -> None:
    order = Order.model_validate(WHOLE)
    assert (order.timeout_s, order.for_s, order.find_rate) == (32.0, None, False)


@pytest.mark.parametrize(
    "change", [{"rate": 0}, {"side": "abroad"}, {"timeout_s": 33}, {"expires": 5}, {"colour": "red"}]
)
def test_an_order_out_of_its_limits_is_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(WHOLE | change)
