"""One peer with its time as a number; whole conversations are in tests/integration."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from diameter_proxy.diameter.capabilities import decode_capabilities
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import apart, encode_message
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.link import Link
from diameter_proxy.node.sender import Candidate, Sender
from tests.reading import read


class Program:
    """A node that keeps what it hears."""

    def __init__(self) -> None:
        self.time = 0.0
        self.heard: list[str] = []
        self.connections: list[int] = []
        """How much had been heard when each connection came."""
        self.takes: Callable[[bytes], bool] = lambda octets: False

    def now(self) -> float:
        return self.time

    def on_connection(self, peer: str) -> None:
        self.connections.append(len(self.heard))

    def on_peer(self, event: Any) -> None:
        self.heard.append(event.kind.value)

    def on_messages(self, peer: str, runs: list[bytes]) -> list[bytes]:
        return [octets for octets in apart(runs) if not self.takes(octets)]

    def on_request(self, peer: str, octets: bytes) -> None:
        self.heard.append("request")

    def on_answer(self, peer: str, octets: bytes) -> None:
        self.heard.append("answer")

    def on_closed(self) -> None:
        self.heard.append("no transport")

    def connect(self, link: Link) -> None:
        self.heard.append("connect")


class Owner:
    """Hears that there is a connection."""

    def connection_made(self, connection: object) -> None:
        """Do nothing."""


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def link(program: Program, config: NodeConfig, sender: Sender) -> Link:
    peer = PeerConfig("scscf.mc1.lab", "ims.mc1.lab")
    return Link(peer, config, sender, program, lambda: 0.0, LimitedLog(program.now, 10))  # type: ignore[arg-type] # connect makes no task


@pytest.fixture
def opened(link: Link, connected: Any, cer: Callable[[str], bytes]) -> Callable[[], Any]:
    """Return a way to open the link on a transport that remembers."""

    def make() -> Any:
        connection, transport = connected(Owner())
        message = Message.decode(cer("scscf.mc1.lab"))
        link.offer(Candidate(connection, message, decode_capabilities(message)))
        return connection, transport

    return make


async def test_silent_peer_is_suspected_then_closed(link: Link, program: Program, opened: Callable[[], Any]) -> None:
    connection, transport = opened()
    for program.time in (6.0, 12.0, 18.0):
        link.tick(program.time)
    assert program.heard == ["open", "suspect", "closed", "no transport"]
    assert transport.said[-1] == "abort"
    assert connection.is_closed


async def test_whoever_has_sent_anything_since_the_last_tick_is_not_asked_for_a_sign_of_life(
    link: Link, program: Program, opened: Callable[[], Any]
) -> None:
    """RFC 3539 §3.4.1: a message other than a DWA begins Tw anew."""
    connection, transport = opened()
    for program.time in (5.0, 10.0, 15.0):
        read(connection, encode_message(0x40, 303, 16777216, 1, 2, ()))
        link.tick(program.time)
    await asyncio.sleep(0)
    assert [message.header.command_code for message in transport.messages()] == [257]
    link.tick(20.9)
    await asyncio.sleep(0)
    assert len(transport.messages()) == 1, "six seconds from the last tick with a message"
    link.tick(21.0)
    await asyncio.sleep(0)
    assert transport.messages()[-1].header.command_code == 280


async def test_a_suspect_that_sends_anything_may_be_used_at_once(
    link: Link, program: Program, opened: Callable[[], Any]
) -> None:
    connection, _ = opened()
    for program.time in (6.0, 12.0):
        link.tick(program.time)
    assert program.heard[-1] == "suspect"
    assert not link.is_open
    read(connection, encode_message(0x40, 303, 16777216, 1, 2, ()))
    assert link.is_open


async def test_messages_go_where_they_belong(link: Link, program: Program, opened: Callable[[], Any]) -> None:
    connection, transport = opened()
    messages = [encode_message(flags, 303, 16777216, 1, 2, ()) for flags in (0xC0, 0x40, 0xE0)]
    read(connection, b"".join(messages))
    assert program.heard == ["open", "request", "answer"]
    await asyncio.sleep(0)
    assert transport.messages()[-1].result() == (0, 3008)
    assert link.status().messages_received == 3


async def test_what_the_program_takes_is_counted_and_left_alone(
    link: Link, program: Program, opened: Callable[[], Any]
) -> None:
    connection, _ = opened()
    program.takes = lambda octets: octets[4] == 0xC0
    read(connection, b"".join(encode_message(flags, 303, 16777216, 1, 2, ()) for flags in (0xC0, 0x40)))
    assert program.heard == ["open", "answer"]
    assert link.status().messages_received == 2


async def test_dpa_that_never_comes_is_not_waited_for(link: Link, program: Program, opened: Callable[[], Any]) -> None:
    _, transport = opened()
    link.abort()
    assert program.heard == ["open", "closed", "no transport"]
    assert transport.messages()[-1].header.command_code == 282


async def test_held_connection_replaces_a_silent_first_one(
    link: Link, program: Program, opened: Callable[[], Any]
) -> None:
    first, _ = opened()
    second, transport = opened()
    link.tick(0.9)
    assert not first.is_closed
    link.tick(1.0)
    second.flush()
    assert first.is_closed
    assert (program.heard, program.connections) == (["open", "closed"], [0, 2]), "told of each before it is used"
    assert transport.messages()[0].result() == (0, 2001)


async def test_source_that_we_do_not_read_is_not_suspected(
    link: Link, program: Program, opened: Callable[[], Any]
) -> None:
    connection, _ = opened()
    connection.pause_reading("a congested destination")
    for program.time in (6.0, 12.0, 18.0):
        link.tick(program.time)
    assert program.heard == ["open"]
