"""What goes out on a connection, with identifiers of its own."""

from collections.abc import Callable
from typing import Any

from diameter_proxy.diameter.capabilities import decode_capabilities
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.node.sender import Candidate, Sender


class Owner:
    """Hears that there is a connection."""

    def connection_made(self, connection: object) -> None:
        """Do nothing."""


async def test_identifiers_are_new_on_each_request(sender: Sender, connected: Any) -> None:
    connection, transport = connected(Owner())
    sender.cer(connection)
    sender.dwr(connection)
    sender.dpr(connection, DisconnectCause.REBOOTING)
    connection.flush()
    headers = [message.header for message in transport.messages()]
    assert [header.command_code for header in headers] == [257, 280, 282]
    assert len({header.hop_by_hop for header in headers}) == len({header.end_to_end for header in headers}) == 3


async def test_candidate_is_accepted_refused_or_told_that_it_won(
    sender: Sender, connected: Any, cer: Callable[[str], bytes]
) -> None:
    message = Message.decode(cer("a"))
    results = []
    for act in (sender.cea, lambda candidate: sender.refuse(candidate, "why"), sender.lose_election):
        connection, transport = connected(Owner())
        act(Candidate(connection, message, decode_capabilities(message)))
        connection.flush()
        results += [(answer.result(), connection.is_closed) for answer in transport.messages()]
    assert results == [((0, 2001), False), ((0, 5012), True), ((0, 4003), False)]  # R-Disc follows
