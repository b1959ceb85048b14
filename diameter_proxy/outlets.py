"""Where the messages go that one read of the express lane brings forth: one write for each peer.

Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from typing import Final

from diameter_proxy.counters import Counters
from diameter_proxy.diameter.wire import HEADER_OCTETS, REQUEST, messages_in
from diameter_proxy.express import ExpressWire
from diameter_proxy.node.errors import NodeError
from diameter_proxy.pending import NO_QUEUE, Outlet, Pending, PendingRequests
from diameter_proxy.remembered import Remembered


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
        self.written: list[Outlet] = []
        """Who has something to send after this read; whoever puts the first message into an outlet adds it."""
        self._asked: list[Outlet] = []
        self.reads = 0
        """How many reads have begun."""
        self._runs = _NOTHING
        self.remembered: Remembered | None = None
        """What keeps the answers that go out after this read."""

    def begin(self, runs: list[bytes]) -> None:
        """Begin a read."""
        self.reads += 1
        self._runs = runs

    def of(self, peer: str) -> Outlet:
        """Return the outlet of a peer."""
        outlet = self._by_peer.get(peer)
        if outlet is None:
            outlet = self._by_peer[peer] = Outlet(peer)
        return outlet

    def open_one(self, candidates: list[Outlet]) -> Outlet | None:
        """Return the first that can take a request, with numbers enough for all the messages of this read."""
        for outlet in candidates:
            if outlet.read != self.reads:
                self._look(outlet)
            if outlet.left > 0:
                return outlet
        return None

    def is_any_ready(self, candidates: tuple[str, ...]) -> bool:
        """Say whether any peer may be sent requests, had it room for them."""
        return any(map(self._wire.is_ready, candidates))

    def add(self, outlet: Outlet, octets: bytes) -> None:
        """Have a message go out after this read."""
        if not outlet.count:
            self.written.append(outlet)
        outlet.out.write(octets)
        outlet.count += 1

    def flush(self) -> None:
        """Give the node what goes to each peer, at once; what waits for a peer that goes is held by nobody here."""
        for outlet in self._asked:
            outlet.queue = NO_QUEUE
        self._asked.clear()
        self._runs = _NOTHING
        written, self.written = self.written, []
        remembered, self.remembered = self.remembered, None
        try:
            for outlet in written:
                count = outlet.count
                if not count:
                    continue
                is_kept = outlet.has_answers
                octets = outlet.take()
                if is_kept and remembered is not None:
                    remembered.written.append(octets)
                try:
                    self._wire.send_all(outlet.peer, octets, count)
                except NodeError:
                    self._not_taken(outlet.peer, octets)
        finally:  # whatever happens, what is behind it stays in nobody's way
            for outlet in written:
                if outlet.count:
                    outlet.take()

    def clear(self) -> None:
        """Forget peers that may be no more."""
        self._by_peer.clear()

    def _look(self, outlet: Outlet) -> None:
        outlet.read = self.reads
        self._asked.append(outlet)
        queue = outlet.queue = self._pending.queue_of(outlet.peer)
        messages = messages_in(self._runs)
        first = self._wire.reserve_hop_by_hop(outlet.peer, messages)
        if first is None:
            outlet.left = 0
            return
        outlet.left = min(messages, queue.room - len(queue.waiting))
        outlet.hop_by_hop = first

    def _not_taken(self, peer: str, octets: bytes) -> None:
        """Its connection is gone since we looked: each request goes on at once, an answer has nobody to go to."""
        at = 0
        while at < len(octets):
            header = octets[at : at + HEADER_OCTETS]
            at += int.from_bytes(header[1:4], "big")
            if not header[4] & REQUEST:
                self._counters.answers_undeliverable += 1
                continue
            pending = self._pending.find(peer, int.from_bytes(header[12:16], "big"))
            if pending is not None:
                self._go_on(pending)


_NOTHING: Final[list[bytes]] = []
