"""How long the property tests take: a share of what a fuzzer takes for one target (``campaign.py``)."""

import time
from collections.abc import Callable

import pytest

Repeat = Callable[[Callable[[], None], float], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the seconds of one target."""
    parser.addoption("--fuzz-s", type=float, default=600.0, help="seconds for a property test of a store")


@pytest.fixture
def repeat(request: pytest.FixtureRequest) -> Repeat:
    """Return what calls a round of hypothesis until a share of the time is over; each begins with another seed."""
    whole_s = request.config.getoption("--fuzz-s", default=600.0)

    def repeat(once: Callable[[], None], share: float) -> None:
        ends = time.monotonic() + share * whole_s
        once()
        while time.monotonic() < ends:
            once()

    return repeat
