"""Errors of the AKA leaf."""

import pytest

from ue_agent.aka.errors import AkaError, InvalidChallenge, MacFailure, SqnOutOfRange, SynchronisationFailure


@pytest.mark.parametrize("error", [MacFailure, SqnOutOfRange, SynchronisationFailure, InvalidChallenge])
def test_every_error_belongs_to_the_tree(error: type[Exception]) -> None:
    assert issubclass(error, AkaError)


def test_synchronisation_failure_carries_auts_and_does_not_print_it() -> None:
    failure = SynchronisationFailure(b"\x11" * 14)
    assert failure.auts == b"\x11" * 14
    assert "11" not in str(failure)
