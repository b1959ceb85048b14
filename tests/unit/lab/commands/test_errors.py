"""Misuse is the caller's, a failure is not: they end with different statuses, so neither is the other."""

from lab.commands.errors import Failure, Misuse


def test_neither_is_the_other() -> None:
    assert not issubclass(Misuse, Failure)
    assert not issubclass(Failure, Misuse)
