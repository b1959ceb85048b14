"""A second connection of an open peer, held until the first has shown whether it lives (RFC 6733 §5.6, R-Reject).

What is decided stands in ``peer.second_connection``; here the candidate waits, at most one for each peer.
"""

from math import inf

import structlog

from diameter_proxy.diameter.capabilities import Capabilities
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.sender import Candidate, Sender


class HeldConnection:
    """The one candidate of a peer that waits, and until when."""

    def __init__(self, sender: Sender, log: structlog.typing.FilteringBoundLogger) -> None:
        self.due = inf
        self._sender = sender
        self._log = log
        self._candidate: Candidate | None = None

    def hold(self, candidate: Candidate, due: float) -> None:
        """Let a candidate wait; one that waits already is refused."""
        self.reject("a third connection came")
        self._candidate, self.due = candidate, due
        self._log.info("connection.held", remote=candidate.connection.remote_address)

    def take(self) -> Candidate | None:
        """Return who waits, and hold nobody any more."""
        candidate, self._candidate, self.due = self._candidate, None, inf
        return candidate

    def reject(self, reason: str) -> None:
        """Refuse who waits, if anybody does (R-Reject, RFC 6733 §5.6.3)."""
        candidate = self.take()
        if candidate is not None:
            self._log.warning("connection.refused", reason=reason, remote=candidate.connection.remote_address)
            self._sender.refuse(candidate, reason)

    def forget(self, connection: Connection) -> bool:
        """Let go of the candidate whose connection is this one, because it is gone; say whether it was."""
        if self._candidate is None or self._candidate.connection is not connection:
            return False
        self.take()
        connection.close()
        return True


def has_restarted(candidate: Candidate, known: Capabilities | None, first: Connection | None) -> bool:
    """Say whether a candidate is the peer after a restart: same address, another Origin-State-Id (RFC 6733 §8.16)."""
    new = candidate.capabilities.origin_state_id
    address = first.remote_address if first else ""
    return (
        new is not None
        and new != (known.origin_state_id if known else None)
        and (candidate.connection.remote_address == address)
    )
