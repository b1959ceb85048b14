"""Requests that wait for their answer: what was asked, what was sent to whom, and until when (RFC 6733 §5.5.4, §6.1.9).

Hop-by-Hop Identifiers are unique per connection, so a pending request is found by (peer, Hop-by-Hop).

A peer that is asked more than it answers gets no more than it answers in good time; the rest is refused at once (3004,
RFC 6733 §7.1.3), while an answer still helps whoever asks.  Else requests wait until they are late, are sent again, and
nobody is served.  By Little's law what waits is what comes in a second times the seconds that it waits.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from librt.strings import BytesWriter

from diameter_proxy.forms import END_TO_END, HOP_BY_HOP, Form, Values
from diameter_proxy.identity_map import LentSet
from diameter_proxy.ready_sets import FIRST_SENT, LENT, OCTETS_SENT, SECOND_SENT, sent_avps
from diameter_proxy.routing import MAR, Route
from diameter_proxy.splice import value_at

KEPT_OCTETS_MAX: Final = 1 << 18
"""Room that is kept for what goes to a peer after the next read; that much is read at once."""
ROOM_MIN: Final = 100
"""So many may always wait for one peer, however slow it is."""


GONE: Final = ""
"""Whoever asked over a connection that is no more."""


class Pending:
    """One request under way.

    Attributes:
        source: peer that asked, or ``GONE``, and ``asked`` the octets as they came from it.
        end_to_end: its End-to-End Identifier.
        found: what ``splice.locate`` says of ``asked``; not to be changed, other requests share it.
        sent: the octets that went out; sent again with T and another Hop-by-Hop to an alternate.
        candidates: peers that may serve it, in order of preference; ``tried`` those that have got it.
        identities: User-Name and Public-Identity that went out, which an MAA must repeat.
        joined: others who asked the very same: (peer, octets).
        own: for a request of ours: what takes the answer, or None when there is none; nobody else hears of it.
        answer_when_late: Result-Code of our own when nothing comes in time.
        remembered: the answer, for a request that comes again, until ``forget_s``.
    """

    def __init__(
        self,
        source: str,
        asked: bytes,
        found: list[int],
        route: Route,
        command: int,
        sent: bytes,
        candidates: tuple[str, ...],
        started_s: float,
        deadline_s: float,
        lent: LentSet | None = None,
        identities: tuple[bytes, bytes] = (b"", b""),
        answer_when_late: int = 3002,
        learns: bytes = b"",
        own: Callable[[bytes | None], None] | None = None,
    ) -> None:
        self.source = source
        self.asked = asked
        self.end_to_end = asked[16:20]
        self.found = found
        self.route = route
        self.command = command
        self.sent = sent
        self.candidates = candidates
        self.started_s = started_s
        self.deadline_s = deadline_s
        self.lent = lent
        self.identities = identities
        self.learns = learns
        self.own = own
        self.answer_when_late = answer_when_late
        self.tried: tuple[tuple[str, int], ...] = ()
        self.joined: tuple[tuple[str, bytes], ...] = ()
        self.is_done = False
        self.was_busy = False
        self.is_unique = False
        self.remembered = b""
        self.forget_s = 0.0


Record = tuple[Any, ...]
"""A request that the express lane has sent, by these numbers; a ``Pending`` is made of it when it is not all that went
before: an answer that is not of the common case, no answer, a duplicate."""
ASKED: Final = 0
"""The values of what came in."""
READY: Final = 1
"""An entry of ``ready_sets``."""
BATCH: Final = 2
NUMBER: Final = 3
"""The Hop-by-Hop Identifier under which it went out."""
OURS: Final = 4
"""What else went out: the number of a Session-Id of ours, or a Server-Name AVP, or nothing."""


def asked_of(record: Record) -> bytes:
    """Return a request as it came."""
    batch: Batch = record[BATCH]
    return batch.form.octets_of(record[ASKED])


def sent_of(record: Record) -> bytes:
    """Return a request as it went out."""
    batch: Batch = record[BATCH]
    form, ready, asked, ours = batch.form, record[READY], record[ASKED], record[OURS]
    session, server = (asked[form.session_at], ours) if form.kind.route is Route.HSS_AS_KNOWN else (ours, b"")
    item = asked[form.item_at] if form.has_values else b""
    octets = ready[OCTETS_SENT] + len(session) + len(item) + len(server)
    out = BytesWriter()
    form.out.write(
        out, octets, record[NUMBER], asked[END_TO_END], session, ready[FIRST_SENT], ready[SECOND_SENT], item, server
    )
    return out.getvalue()


def write_back(out: BytesWriter, fitted: Form, asked: Values, form: Form, item: bytes) -> None:
    """Write the answer to a request of the form ``fitted``, of this form, with this SIP-Auth-Data-Item."""
    first: bytes = asked[fitted.first_at]
    second = b""
    if form.gives_swapped:
        first, second = first[fitted.first_octets :], first[: fitted.first_octets]
    elif not form.gives_both:
        user, public = fitted.both_of(asked)
        first, second = (user, public) if form.out.user_first else (public, user)
    octets = fitted.asked_octets + len(item)
    form.out.write(
        out,
        octets,
        asked[HOP_BY_HOP],
        asked[END_TO_END],
        asked[fitted.session_at],
        first,
        second,
        item,
        b"",
        fitted.session_head,
    )


class Queue:
    """What waits for one peer, and how much more of it may.

    Attributes:
        waiting: by Hop-by-Hop, the oldest first.
        room: how many may wait.
        sent: how many have ever been put into ``waiting``, and ``settled`` how many an answer has taken out of it.
    """

    def __init__(self, room: int) -> None:
        self.waiting: dict[int, Pending | Record] = {}
        self.room = room
        self.sent = 0
        self.settled = 0
        self._before: deque[tuple[float, int, int]] = deque()

    def put(self, hop_by_hop: int, pending: Pending) -> None:
        """Note that a request was sent."""
        self.waiting[hop_by_hop] = pending
        self.sent += 1

    def take(self, hop_by_hop: int, pending: Pending) -> None:
        """Note that a request waits no more."""
        if self.waiting.get(hop_by_hop) is pending:
            del self.waiting[hop_by_hop]
            self.settled += 1

    def pace(self, now_s: float, within_s: float, room_max: int) -> None:
        """Set the room anew; for a peer that lets requests wait for longer than ``within_s``: what it settles in that.

        More waits than was sent in ``within_s``: then something has waited for longer.  Room comes back by quarters,
        while less than half of it is used or answers come in four fifths of the time.
        """
        before = self._before
        before.append((now_s, self.sent, self.settled))
        while len(before) > 1 and before[1][0] <= now_s - within_s:
            before.popleft()
        since_s, sent, settled = before[0]
        count, passed_s = len(self.waiting), now_s - since_s
        if passed_s < within_s:
            return
        in_time = int((self.settled - settled) * within_s / passed_s)
        if count >= ROOM_MIN and count > self.sent - sent:
            self.room = max(ROOM_MIN, in_time)
        elif count <= self.room // 2 or in_time * 4 > count * 5:
            self.room += self.room // 4
        self.room = min(self.room, room_max)


NO_QUEUE: Final = Queue(0)
"""Nobody's."""


class Outlet:
    """A peer, and what the messages of one read come to for it.

    Attributes:
        read: the number of the read in which it was last asked whether it is open.
        left: how many requests it may still be sent.
        queue: what waits for its answers; nobody's before and after the read.
        hop_by_hop: the identifier of the next request.
        out: what goes out after the read, and ``count`` how many messages that is.
        has_answers: whether an answer is among it that must be remembered.
    """

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.read = 0
        self.left = 0
        self.queue = NO_QUEUE
        self.hop_by_hop = 0
        self.out = BytesWriter()
        self.count = 0
        self.has_answers = False

    def take(self) -> bytes:
        """Return the octets that are to go out, and have none left."""
        taken = self.out.getvalue()
        if len(taken) <= KEPT_OCTETS_MAX:
            self.out.truncate(0)
        else:  # which would keep its room for good
            self.out = BytesWriter()
        self.count = 0
        self.has_answers = False
        return taken


class Batch:
    """What all requests have in common that fitted one form in one read and went to one peer.

    Attributes:
        form: what they fitted.
        back: who asked.
        outlet, queue: who was asked, and where they wait.
        numbers: their Hop-by-Hop Identifiers; none any more once all are answered.
        left: how many the lane has not seen an answer to.
        map_changes: how often the identity map had been changed when they were sent.
        age: that of ``ready_sets`` then.
    """

    def __init__(
        self,
        form: Form,
        back: Outlet,
        outlet: Outlet,
        started_s: float,
        deadline_s: float,
        map_changes: int,
        age: int,
    ) -> None:
        self.form = form
        self.back = back
        self.outlet = outlet
        self.queue = outlet.queue
        self.numbers: list[Any] = []
        self.left = 0
        self.started_s = started_s
        self.deadline_s = deadline_s
        self.map_changes = map_changes
        self.age = age


class PendingRequests:
    """All pending requests, by the peer and the Hop-by-Hop under which each was sent."""

    def __init__(self, pending_max: int) -> None:
        self.pending_max = pending_max
        self.by_peer: dict[str, Queue] = {}
        self.count = 0
        self.on_made: Callable[[Record, Pending], None] | None = None
        """Hears of each ``Pending`` that takes the place of a record."""

    @property
    def is_full(self) -> bool:
        """Whether no more requests may wait."""
        return self.count >= self.pending_max

    def sent(self, pending: Pending, peer: str, hop_by_hop: int) -> None:
        """Note that the request went to this peer under this Hop-by-Hop."""
        if not pending.tried:
            self.count += 1
        pending.tried += ((peer, hop_by_hop),)
        self.queue_of(peer).put(hop_by_hop, pending)

    def queue_of(self, peer: str) -> Queue:
        """Return what waits for this peer; another one after ``lost``."""
        queue = self.by_peer.get(peer)
        if queue is None:
            queue = self.by_peer[peer] = Queue(self.pending_max)
        return queue

    def has_room(self, peer: str) -> bool:
        """Say whether one more request may wait for this peer."""
        queue = self.by_peer.get(peer)
        return queue is None or len(queue.waiting) < queue.room

    def rooms(self) -> dict[str, tuple[int, int]]:
        """Return for each peer that was asked how many requests wait, and how many may."""
        return {peer: (len(queue.waiting), queue.room) for peer, queue in self.by_peer.items()}

    def pace(self, now_s: float, within_s: float) -> None:
        """Look at how fast each peer answers; to be called every tick."""
        for queue in self.by_peer.values():
            queue.pace(now_s, within_s, self.pending_max)

    def find(self, peer: str, hop_by_hop: int) -> Pending | None:
        """Return what waits for this answer, or None: discard it."""
        queue = self.by_peer.get(peer)
        known = None if queue is None else queue.waiting.get(hop_by_hop)
        return None if known is None else self._pending(known)

    def made_of(self, record: Record) -> Pending:
        """Put a ``Pending`` in the place of a record, and return it."""
        batch: Batch = record[BATCH]
        ready, number = record[READY], record[NUMBER]
        user, public = sent_avps(ready, batch.form.user_first)
        pending = Pending(
            batch.back.peer,
            asked_of(record),
            batch.form.found,
            batch.form.kind.route,
            MAR,
            sent_of(record),
            batch.form.candidates,
            batch.started_s,
            batch.deadline_s,
            ready[LENT],
            (value_at(user, 0), value_at(public, 0)),
        )
        pending.tried = ((batch.outlet.peer, number),)
        batch.queue.waiting[number] = pending
        if self.on_made is not None:
            self.on_made(record, pending)
        return pending

    def left_of(self, batch: Batch) -> Iterator[Pending]:
        """Yield what still waits of a batch."""
        if not batch.left:
            return
        for number in batch.numbers:
            known = batch.queue.waiting.get(number)
            if isinstance(known, tuple):
                yield self.made_of(known)
            elif known is not None:
                yield known

    def settle(self, pending: Pending) -> None:
        """Take the request out: it has its answer."""
        if pending.is_done:
            return
        pending.is_done = True
        if pending.tried:
            self.count -= 1
        for peer, hop_by_hop in pending.tried:
            queue = self.by_peer.get(peer)
            if queue is not None:
                queue.take(hop_by_hop, pending)

    def of_peer(self, peer: str) -> list[Pending]:
        """Return what waits for answers of this peer, oldest first."""
        queue = self.by_peer.get(peer)
        return [] if queue is None else [self._pending(known) for known in list(queue.waiting.values())]

    def oldest(self, limit: int) -> list[Pending]:
        """Return what has waited longest, each once."""
        waiting = {id(known): known for queue in self.by_peer.values() for known in queue.waiting.values()}
        return [self._pending(known) for known in sorted(waiting.values(), key=_started_s)[:limit]]

    def _pending(self, known: Pending | Record) -> Pending:
        return self.made_of(known) if isinstance(known, tuple) else known

    def orphan(self, peer: str) -> None:
        """Have nothing answered that a peer asked over its last connection: Hop-by-Hop is of one (RFC 6733 §3).

        The answers are still awaited, for whoever asks the same again (T) over the next one.
        """
        for queue in self.by_peer.values():
            for known in list(queue.waiting.values()):
                if isinstance(known, tuple):
                    batch: Batch = known[BATCH]
                    if batch.back.peer != peer:
                        continue
                pending = self._pending(known)
                if pending.source == peer:
                    pending.source = GONE
                if pending.joined:
                    pending.joined = tuple([asking for asking in pending.joined if asking[0] != peer])

    def lost(self, peer: str) -> None:
        """Forget a connection's Hop-by-Hop Identifiers: those of the next one are others' (RFC 6733 §3)."""
        self.by_peer.pop(peer, None)


def _started_s(known: Pending | Record) -> float:
    if isinstance(known, tuple):
        batch: Batch = known[BATCH]
        return batch.started_s
    return known.started_s
