"""Requests that wait for their answer: what was asked, what was sent to whom, and until when (RFC 6733 §5.5.4, §6.1.9).

Hop-by-Hop Identifiers are unique per connection, so a pending request is found by (peer, Hop-by-Hop).
"""

from diameter_proxy.express import Pending


class PendingRequests:
    """All pending requests, by the peer and the Hop-by-Hop under which each was sent."""

    def __init__(self, pending_max: int) -> None:
        self.pending_max = pending_max
        self._by_peer: dict[str, dict[int, Pending]] = {}
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether no more requests may wait."""
        return self.count >= self.pending_max

    def sent(self, pending: Pending, peer: str, hop_by_hop: int) -> None:
        """Note that the request went to this peer under this Hop-by-Hop."""
        if not pending.tried:
            self.count += 1
        pending.tried += ((peer, hop_by_hop),)
        table = self._by_peer.get(peer)
        if table is None:
            table = self._by_peer[peer] = {}
        table[hop_by_hop] = pending

    def find(self, peer: str, hop_by_hop: int) -> Pending | None:
        """Return what waits for this answer, or None: discard it."""
        table = self._by_peer.get(peer)
        return None if table is None else table.get(hop_by_hop)

    def settle(self, pending: Pending) -> None:
        """Take the request out: it has its answer."""
        if pending.is_done:
            return
        pending.is_done = True
        if pending.tried:
            self.count -= 1
        for peer, hop_by_hop in pending.tried:
            table = self._by_peer.get(peer)
            if table is not None and table.get(hop_by_hop) is pending:
                del table[hop_by_hop]

    def of_peer(self, peer: str) -> list[Pending]:
        """Return what waits for answers of this peer, oldest first."""
        return list(self._by_peer.get(peer, {}).values())

    def oldest(self, limit: int) -> list[Pending]:
        """Return what has waited longest, each once."""
        waiting = {id(pending): pending for table in self._by_peer.values() for pending in table.values()}
        return sorted(waiting.values(), key=lambda pending: pending.started_s)[:limit]

    def lost(self, peer: str) -> None:
        """Forget a connection's Hop-by-Hop Identifiers: those of the next one are others' (RFC 6733 §3)."""
        self._by_peer.pop(peer, None)
