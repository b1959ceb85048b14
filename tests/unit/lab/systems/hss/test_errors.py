"""Errors of the HSS simulator."""

import pytest

from lab.systems.hss.errors import ConfigError, HssError, Refusal, StoreError


def test_a_refusal_carries_one_code() -> None:
    refusal = Refusal("unknown", experimental=5001)
    assert (refusal.result_code, refusal.experimental, str(refusal)) == (None, 5001, "unknown")


@pytest.mark.parametrize("error", [Refusal, ConfigError, StoreError])
def test_every_error_belongs_to_the_tree(error: type[Exception]) -> None:
    assert issubclass(error, HssError)
