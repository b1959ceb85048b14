"""The two transports that a peer may have, I and R of RFC 6733 §5.6, and how they end."""

import asyncio

from diameter_proxy.node.connection import Connection
from diameter_proxy.node.errors import PeerLost


class Transports:
    """The transport that we initiated, the one on which we respond, and the attempt to connect.

    Attributes:
        initiator: I; None when there is none.
        responder: R; None when there is none.
        connecting: the attempt under way.
    """

    def __init__(self, host: str) -> None:
        self.initiator: Connection | None = None
        self.responder: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None
        self._host = host

    def close_initiator(self, reason: str) -> None:
        """Carry out I-Disc."""
        self._close(self.initiator, reason)
        self.initiator = None

    def close_responder(self, reason: str) -> None:
        """Carry out R-Disc."""
        self._close(self.responder, reason)
        self.responder = None

    def clean_up(self, reason: str) -> None:
        """Free everything (Cleanup and Error, RFC 6733 §5.6.3)."""
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        self.close_initiator(reason)
        self.close_responder(reason)

    def _close(self, connection: Connection | None, reason: str) -> None:
        """Close a transport of ours, fail what waits on it."""
        if connection is None:
            return
        connection.close()
        for future in connection.pending.drain():
            if not future.done():
                future.set_exception(PeerLost(f"{self._host}: {reason}"))
