"""Where the messages go that one read of the express lane brings forth: one write for each peer.

Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from typing import Final

from diameter_proxy.counters import Counters
from diameter_proxy.diameter.wire import REQUEST
from diameter_proxy.express import ExpressWire
from diameter_proxy.node.errors import NodeError
from diameter_proxy.pending import Pending, PendingRequests, Queue


class Outlet:
    """A peer, and what the messages of one read come to for it.

    Attributes:
        read: the number of the read in which it was last asked whether it is open.
        is_ready: whether requests may be sent.
        queue: what waits for its answers; none before it was first asked whether it is open.
        hop_by_hop: the identifier of the next request.
        messages: what goes out after the read.
    """

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.read = 0
        self.is_ready = False
        self.queue = Queue(0)
        self.hop_by_hop = 0
        self.messages: list[bytes] = []


class Outlets:
    """All of them, and which have something to send."""

    def __init__(
        self, wire: ExpressWire, pending: PendingRequests, counters: Counters, go_on: Callable[[Pending], None]
    ) -> None:
        """Take what sends, and ``go_on``, which has a request sent to its next peer, or answered."""
        self._wire: Final = wire
        self._pending: Final = pending
        self._counters: Final = counters
        self._go_on: Final = go_on
        self._by_peer: Final[dict[str, Outlet]] = {}
        self._written: list[Outlet] = []
        self._reads = 0
        self._messages = 0

    def begin(self, messages: int) -> None:
        """Begin a read of so many messages."""
        self._reads += 1
        self._messages = messages

    def of(self, peer: str) -> Outlet:
        """Return the outlet of a peer."""
        outlet = self._by_peer.get(peer)
        if outlet is None:
            outlet = self._by_peer[peer] = Outlet(peer)
        return outlet

    def open_one(self, candidates: tuple[str, ...]) -> Outlet | None:
        """Return the first that can take a request, with numbers enough for all the messages of this read."""
        for candidate in candidates:
            outlet = self.of(candidate)
            if outlet.read != self._reads:
                self._look(outlet)
            if outlet.is_ready and len(outlet.queue.waiting) < outlet.queue.room:
                return outlet
        return None

    def is_any_ready(self, candidates: tuple[str, ...]) -> bool:
        """Say whether any peer may be sent requests, had it room for them."""
        return any(map(self._wire.is_ready, candidates))

    def add(self, outlet: Outlet, octets: bytes) -> None:
        """Have a message go out after this read."""
        if not outlet.messages:
            self._written.append(outlet)
        outlet.messages.append(octets)

    def flush(self) -> None:
        """Give the node what goes to each peer, at once."""
        written, self._written = self._written, []
        for outlet in written:
            messages, outlet.messages = outlet.messages, []
            try:
                self._wire.send_all(outlet.peer, messages)
            except NodeError:
                self._not_taken(outlet.peer, messages)

    def clear(self) -> None:
        """Forget peers that may be no more."""
        self._by_peer.clear()

    def _look(self, outlet: Outlet) -> None:
        outlet.read = self._reads
        outlet.queue = self._pending.queue_of(outlet.peer)
        outlet.is_ready = self._wire.is_ready(outlet.peer)
        if outlet.is_ready:
            outlet.hop_by_hop = self._wire.reserve_hop_by_hop(outlet.peer, self._messages)

    def _not_taken(self, peer: str, messages: list[bytes]) -> None:
        """Its connection is gone since we looked: each request goes on at once, an answer has nobody to go to."""
        for octets in messages:
            if not octets[4] & REQUEST:
                self._counters.answers_undeliverable += 1
                continue
            pending = self._pending.find(peer, int.from_bytes(octets[12:16], "big"))
            if pending is not None:
                self._go_on(pending)
