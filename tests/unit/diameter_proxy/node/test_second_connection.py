"""One candidate waits at the most; it is refused, taken, or forgotten with its connection."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest
import structlog

from diameter_proxy.diameter.capabilities import decode_capabilities
from diameter_proxy.diameter.message import Message
from diameter_proxy.node.second_connection import HeldConnection, has_restarted
from diameter_proxy.node.sender import Candidate, Sender


class Owner:
    """Hears that there is a connection."""

    def connection_made(self, connection: object) -> None:
        """Do nothing."""


@pytest.fixture
def held(sender: Sender) -> HeldConnection:
    return HeldConnection(sender, structlog.get_logger())


@pytest.fixture
def candidate(connected: Any, cer: Callable[[str], bytes]) -> Callable[[], Candidate]:
    def make() -> Candidate:
        message = Message.decode(cer("a.lab"))
        return Candidate(connected(Owner())[0], message, decode_capabilities(message))

    return make


async def test_a_third_connection_ends_the_second(held: HeldConnection, candidate: Callable[[], Candidate]) -> None:
    second, third = candidate(), candidate()
    held.hold(second, 1.0)
    held.hold(third, 2.0)
    assert (second.connection.is_closed, third.connection.is_closed, held.due) == (True, False, 2.0)
    assert held.take() is third
    assert (held.take(), held.due) == (None, inf)


async def test_a_candidate_that_goes_away_is_forgotten(
    held: HeldConnection, candidate: Callable[[], Candidate]
) -> None:
    waiting, other = candidate(), candidate()
    held.hold(waiting, 1.0)
    assert not held.forget(other.connection)
    assert held.forget(waiting.connection)
    assert held.take() is None


async def test_a_restart_is_another_state_id_from_the_same_address(candidate: Callable[[], Candidate]) -> None:
    first, second = candidate(), candidate()
    known = replace(first.capabilities, origin_state_id=1)
    assert not has_restarted(second, known, first.connection)
    again = replace(second, capabilities=replace(second.capabilities, origin_state_id=2))
    assert has_restarted(again, known, first.connection)
    first.connection.remote_address = "10.9.9.9"
    assert not has_restarted(again, known, first.connection)
