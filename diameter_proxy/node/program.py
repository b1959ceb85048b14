"""What a link asks of its node, and the node of its program."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from diameter_proxy.node.events import PeerEvent

if TYPE_CHECKING:
    from diameter_proxy.node.link import Link


class Program(Protocol):
    """The side of a link that is not the peer's."""

    def now(self) -> float: ...
    def connect(self, link: "Link") -> "asyncio.Task[None]": ...
    def on_request(self, peer: str, octets: bytes) -> None: ...
    def on_answer(self, peer: str, octets: bytes) -> None: ...
    def on_peer(self, event: PeerEvent) -> None: ...
    def on_closed(self) -> None: ...
