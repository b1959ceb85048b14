"""Who is let in, and who hears what."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.node.admission import Admission
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.link import Link
from diameter_proxy.node.sender import Sender
from tests.reading import read


class Program:
    """A node that only tells the time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.events: list[Any] = []

    def now(self) -> float:
        return self.time

    def on_connection(self, peer: str) -> None:
        """It is told of by what follows."""

    def on_peer(self, event: Any) -> None:
        self.events.append(event)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def admission(program: Program, config: NodeConfig, sender: Sender) -> Admission:
    peer = PeerConfig("scscf.mc1.lab", "ims.mc1.lab", addresses=(ip_network("10.77.1.0/24"),))
    link = Link(peer, config, sender, program, lambda: 0.0, LimitedLog(program.now, 10))  # type: ignore[arg-type] # what is not asked is not there
    links = {"scscf.mc1.lab": link}
    return Admission(
        links, sender.base, None, LimitedLog(program.now, 10), connections_max=2, capabilities_s=5.0, now=program.now
    )


async def test_known_peer_is_let_in_whatever_the_case_of_its_name(
    admission: Admission, program: Program, connected: Any, cer: Callable[[str], bytes]
) -> None:
    connection, transport = connected(admission)
    read(connection, cer("SCSCF.mc1.lab"))
    assert transport.messages()[0].result() == (0, 2001)
    assert [event.kind.value for event in program.events] == ["open"]


async def test_stranger_hears_3010_with_the_e_bit(
    admission: Admission, connected: Any, cer: Callable[[str], bytes]
) -> None:
    connection, transport = connected(admission)
    read(connection, cer("stranger.lab"))
    answer = transport.messages()[0]
    assert (answer.result(), answer.header.is_error, connection.is_closed) == ((0, 3010), True, True)


async def test_connection_without_cer_is_closed_in_time(admission: Admission, program: Program, connected: Any) -> None:
    connection, _ = connected(admission)
    admission.tick(4.9)
    assert not connection.is_closed
    admission.tick(5.0)
    assert connection.is_closed


async def test_connections_over_the_limit_are_closed(admission: Admission, connected: Any) -> None:
    made = [connected(admission)[0] for _ in range(3)]
    assert [connection.is_closed for connection in made] == [False, False, True]
    admission.close()
    assert made[0].is_closed


async def test_peer_that_names_another_realm_is_a_stranger(
    admission: Admission, connected: Any, cer: Callable[..., bytes]
) -> None:
    connection, transport = connected(admission)
    read(connection, cer("scscf.mc1.lab", "ims.mc9.lab"))
    assert (transport.messages()[0].result(), connection.is_closed) == ((0, 3010), True)
    connection, transport = connected(admission)
    read(connection, cer("scscf.mc1.lab", "IMS.mc1.lab"))
    assert transport.messages()[0].result() == (0, 2001)


async def test_peer_from_another_address_is_a_stranger(
    admission: Admission, connected: Any, cer: Callable[..., bytes]
) -> None:
    connection, transport = connected(admission)
    connection.remote_address = "10.77.2.12"
    read(connection, cer("scscf.mc1.lab"))
    assert (transport.messages()[0].result(), connection.is_closed) == ((0, 3010), True)


async def test_cer_with_r_and_e_hears_3008(admission: Admission, connected: Any, cer: Callable[..., bytes]) -> None:
    """RFC 6733 §7.1.3: the bits are judged before what the message lacks."""
    for octets in (cer("scscf.mc1.lab", flags=0xA0), encode_message(0xA0, 257, 0, 3, 4, ())):
        connection, transport = connected(admission)
        read(connection, octets)
        answer = transport.messages()[0]
        assert (answer.result(), answer.header.is_error, connection.is_closed) == ((0, 3008), True, True)
