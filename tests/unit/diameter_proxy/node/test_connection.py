"""Octets in, one write out, and what is not read."""

import asyncio
from typing import Any

from diameter_proxy.diameter.errors import FramingLost
from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.node.connection import Connection
from tests.reading import read

MESSAGE = encode_message(0x80, 303, 1, 2, 3, ())


class Owner:
    """Answers each message with itself."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def connection_made(self, connection: Connection) -> None:
        self.heard.append("made")

    def receive(self, connection: Connection, messages: list[bytes]) -> None:
        for message in messages:
            connection.write(message)

    def framing_lost(self, connection: Connection, loss: FramingLost) -> None:
        self.heard.append(str(loss))

    def connection_lost(self, connection: Connection, reason: str) -> None:
        self.heard.append(reason)


async def test_messages_of_one_read_are_one_write(connected: Any) -> None:
    connection, transport = connected(Owner())
    read(connection, MESSAGE * 3)
    assert transport.written == [MESSAGE * 3]
    assert (connection.remote_address, connection.local_address) == ("10.77.1.12", "10.77.1.14")


async def test_what_was_read_stays_what_it_was_when_the_next_is_read_to_the_same_place(connected: Any) -> None:
    connection, transport = connected(Owner())
    half = len(MESSAGE) // 2
    for piece in (MESSAGE[:half], MESSAGE[half:] + MESSAGE):
        room = connection.get_buffer(-1)
        room[: len(piece)] = piece
        connection.buffer_updated(len(piece))
    assert transport.written == [MESSAGE * 2]


async def test_reads_of_one_round_of_the_loop_are_one_write(connected: Any) -> None:
    connection, transport = connected(Owner())
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.call_soon(read, connection, MESSAGE)
    for _ in range(2):
        await asyncio.sleep(0)
    assert transport.written == [MESSAGE * 3]


async def test_messages_before_the_framing_was_lost_are_handled(connected: Any) -> None:
    connection, transport = connected(Owner())
    read(connection, MESSAGE + bytes(20))
    assert transport.written == [MESSAGE]
    assert connection.owner.heard == ["made", "version 0, wanted 1"]


async def test_congested_peer_is_not_read_until_it_reads(connected: Any) -> None:
    connection, transport = connected(Owner())
    drained: list[str] = []
    connection.on_drained.append(lambda: drained.append("now"))
    connection.pause_writing()
    assert connection.is_congested
    assert not connection.is_paused_for_others
    connection.resume_writing()
    assert not connection.is_congested
    assert drained == ["now"]
    assert transport.said == ["limit 1000", "pause", "resume"]


async def test_reading_resumes_when_each_cause_is_taken_back(connected: Any) -> None:
    connection, transport = connected(Owner())
    first, second = object(), object()
    connection.pause_reading(first)
    connection.pause_reading(second)
    assert connection.is_paused_for(first)
    connection.resume_reading(first)
    connection.resume_reading(first)
    assert connection.is_paused_for_others
    connection.resume_reading(second)
    assert transport.said == ["limit 1000", "pause", "resume"]


async def test_owner_hears_of_a_loss_once_and_not_of_its_own_close(connected: Any) -> None:
    connection, _ = connected(Owner())
    connection.connection_lost(None)
    assert connection.owner.heard == ["made", "closed by the peer"]
    other, transport = connected(Owner())
    other.write(MESSAGE)
    other.close()
    other.close()
    other.connection_lost(None)
    other.write(MESSAGE)
    read(other, MESSAGE)
    assert other.owner.heard == ["made"]
    assert transport.written == [MESSAGE]


async def test_abort_is_at_once(connected: Any) -> None:
    connection, transport = connected(Owner())
    connection.write(MESSAGE)
    assert connection.unsent_octets == 20
    connection.abort()
    assert transport.said[-1] == "abort"
    assert transport.written == []
