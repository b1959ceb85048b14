"""Base messages of an open peer: what is answered at once, and what moves the peer."""

from collections.abc import Callable
from typing import Any

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, DPR, DWR
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.node.base_messages import BaseMessages
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.sender import Sender

ORIGIN = [d.ORIGIN_HOST.encode("a.lab"), d.ORIGIN_REALM.encode("lab")]
BUSY = d.DISCONNECT_CAUSE.encode(DisconnectCause.BUSY)


class Moved:
    """A link that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def connection_made(self, connection: object) -> None:
        """Do nothing."""

    def dpr_received(self, connection: object, dpr: object, cause: DisconnectCause) -> None:
        self.heard.append(cause)

    def dpa_received(self, connection: object) -> None:
        self.heard.append("DPA")

    def dwa_received(self) -> None:
        self.heard.append("DWA")


@pytest.fixture
def take(sender: Sender, connected: Any) -> Callable[[bytes], tuple[list[object], list[Any]]]:
    """Return a way to hand one message over: what the link heard, and what was answered."""

    def take(octets: bytes) -> tuple[list[object], list[Any]]:
        moved = Moved()
        connection, transport = connected(moved)
        BaseMessages(sender.base, moved, "a.lab", LimitedLog(lambda: 0.0, 10)).receive(connection, octets)
        connection.flush()
        return moved.heard, [answer.result() for answer in transport.messages()]

    return take


@pytest.mark.parametrize(
    ("octets", "heard", "code"),
    [
        (encode_request(DWR, end_to_end=1, avps=ORIGIN), [], 2001),
        (encode_request(DPR, end_to_end=1, avps=[*ORIGIN, BUSY]), [DisconnectCause.BUSY], None),
        (encode_request(DPR, end_to_end=1, avps=ORIGIN), [], 5005),
        (encode_request(CER, end_to_end=1, avps=ORIGIN), [], 5012),
        (encode_message(0x80, 999, 0, 1, 2, ()), [], 3001),
        (encode_message(0xA0, 280, 0, 1, 2, ()), [], 3008),
        (encode_message(0, 280, 0, 1, 2, ()), ["DWA"], None),
        (encode_message(0, 282, 0, 1, 2, ()), ["DPA"], None),
        (encode_message(0, 257, 0, 1, 2, ()), [], None),
    ],
    ids=["DWR", "DPR", "DPR without cause", "CER", "unknown", "R and E", "DWA", "DPA", "CEA"],
)
async def test_a_base_message_is_answered_or_moves_the_peer(
    take: Callable[[bytes], tuple[list[object], list[Any]]], octets: bytes, heard: list[object], code: int | None
) -> None:
    assert take(octets) == (heard, [] if code is None else [(0, code)])
