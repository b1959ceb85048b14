"""The express lane at work: a MAR of a migrated user out, over CSC-Y or to the HSS (10.6.2), and its MAA back.

Steps 4, 5, 9 and 10 at the partner, 6 to 8 at the primary system; the way back is ``returning``'s.

``receive`` takes the messages of one read and returns those that it leaves to ``proxy``; ``form_learning`` then looks
at what became of them.
"""

from collections.abc import Callable
from typing import Any, Final

from diameter_proxy.counters import Counters
from diameter_proxy.deadlines import DeadlineQueue
from diameter_proxy.diameter.wire import REQUEST, apart
from diameter_proxy.duplicates import Duplicates
from diameter_proxy.express import (
    ExpressWire,
    Limits,
    ServerNameSource,
)
from diameter_proxy.form_learning import FormLearning
from diameter_proxy.form_table import Forms
from diameter_proxy.forms import END_TO_END, Form, Values, answered
from diameter_proxy.identity_map import IdentityMap
from diameter_proxy.outlets import Outlets
from diameter_proxy.pending import (
    NO_QUEUE,
    Batch,
    Outlet,
    Pending,
    PendingRequests,
    Record,
)
from diameter_proxy.ready_sets import (
    ASKED_END,
    ASKED_FROM,
    FIRST_OCTETS_ASKED,
    FIRST_SENT,
    HAS_CASE,
    IMPIS,
    LENT,
    MAPS,
    OCTETS_SENT,
    SECOND_SENT,
    SENT_END,
    UNTIL_S,
    Ready,
    ReadySets,
)
from diameter_proxy.returning import Returning
from diameter_proxy.routing import Route
from diameter_proxy.session_ids import SessionIds
from diameter_proxy.settings import Settings

_TO_HSS: Final = Route.HSS_AS_KNOWN


class ExpressLane:
    """Takes what fits a form, from request to answer."""

    def __init__(
        self,
        wire: ExpressWire,
        identities: IdentityMap,
        pending: PendingRequests,
        duplicates: Duplicates,
        deadlines: DeadlineQueue[Pending | Batch],
        counters: Counters,
        server_names: ServerNameSource,
        used: Callable[[str], None],
        refusals: tuple[Callable[[bytes], bytes], Callable[[str, bytes], None]],
        session_ids: SessionIds,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        settings: Settings,
        go_on: Callable[[Pending], None],
    ) -> None:
        """Take what the whole way works on too.

        ``used`` hears of each vector that goes to a partner; ``refusals`` make the answer to a request whose
        destination is busy, and hear of each that went out; ``go_on`` has a request sent to its next peer, or answered.
        """
        self._identities: Final = identities
        self._pending: Final = pending
        self._duplicates: Final = duplicates
        self._deadlines: Final = deadlines
        self._counters: Final = counters
        self._server_names: Final = server_names
        self._refused: Final = refusals[1]
        self._session_ids: Final = session_ids
        self._clock: Final = clock
        self._wall_clock: Final = wall_clock
        self._attempt_s = settings.attempt_s
        self._partner_s = min(settings.aaa_2_s, settings.csc_y_s)
        self._hss_s = min(settings.csc_y_s, settings.hss_s)
        self._as_default = settings.hss_as_default
        self._map_age_max_s = settings.map_age_max_s
        self._requests: Final = Forms()
        self._answers: Final = Forms()
        self._ready: Final = ReadySets(identities)
        self._learning: Final = FormLearning(self._requests, self._answers, self._ready, session_ids, refusals[0])
        self._outlets: Final = Outlets(wire, pending, counters, go_on)
        self._returning: Final = Returning(identities, pending, duplicates, counters, self._ready, self._outlets, used)
        self._batches: list[Batch] = []
        """What this read has sent."""
        self._left = 0
        """How many more requests may wait."""
        self._may_have_ended = False
        """Whether the time of any entry of ``ready_sets`` may be up."""
        self._now_s = 0.0
        self._wall_s = 0.0
        self._changes = 0
        self.taken = 0

    def receive(self, peer: str, runs: list[bytes]) -> list[bytes]:
        """Pass on what is of the common case among the messages of one read; return the rest, message by message."""
        requests = self._requests.by_peer.get(peer, _NONE_OF_ANY_LENGTH)
        answers = self._answers.by_peer.get(peer, _NONE_OF_ANY_LENGTH)
        if not requests and not answers:
            return apart(runs)
        self._now_s = self._clock()
        if self._identities.is_stale(self._now_s, self._map_age_max_s):
            return apart(runs)
        self._wall_s = self._wall_clock()
        self._may_have_ended = self._wall_s >= self._ready.until_s
        if self._changes != self._identities.changes:
            self._changes = self._identities.changes
            self._ready.forget(self._identities.changed_since_asked())
        if requests:
            self._left = self._pending.pending_max - self._pending.count
            self._outlets.begin(runs)
        if answers:
            queue = self._pending.by_peer.get(peer, NO_QUEUE)
            self._returning.begin(queue, self._now_s, self._wall_s, self._may_have_ended, self._changes)
        rest: list[bytes] = []
        try:
            for run in runs:
                length = run[1] << 16 | run[2] << 8 | run[3]
                forms = (requests if run[4] & REQUEST else answers).get(length, _NO_FORMS)
                if len(run) == length:
                    if not self._is_taken(peer, run, forms):
                        rest.append(run)
                elif not self._is_taken_whole(peer, run, length, forms, rest):
                    for data in apart([run]):
                        forms = (requests if data[4] & REQUEST else answers).get(length, _NO_FORMS)
                        if not self._is_taken(peer, data, forms):
                            rest.append(data)
        finally:
            if self._batches:
                self._count_requests()
            if answers:
                self._returning.end()
            self._outlets.flush()
        return rest

    def _is_taken_whole(self, peer: str, run: bytes, length: int, forms: list[Form], rest: list[bytes]) -> bool:
        """Take the messages of a run together, if one form fits them all; ``rest`` gets those with unusual values."""
        known = None
        for form in forms:
            if form.fits_all(run):
                known = form
                break
        if known is None:
            return False
        rows = list(known.rows_of(run))
        is_taken = (
            self._are_passed_on(peer, known, rows)
            if run[4] & REQUEST
            else [self._returning.take(known, row) for row in rows]
        )
        at = 0
        for is_one in is_taken:
            if not is_one:
                data = run[at : at + length]
                if not self._is_taken(peer, data, forms, known):
                    rest.append(data)
            at += length
        return True

    def _are_passed_on(self, peer: str, form: Form, rows: list[Values]) -> list[bool]:
        """Pass on the requests of a run; say which.

        All entries are looked up first, and looked into: what the processor has to fetch from memory, as it does for
        one of many users, it then fetches for several at a time.
        """
        pairs = [form.pair_of(values) for values in rows]
        for pair in pairs:
            hash(pair)
        entries = list(map(form.kind.ready.get, pairs))
        for ready in entries:
            if ready is not None:
                sent: bytes = ready[FIRST_SENT]
                sent[-1]
                ready[SENT_END]
        return [
            self._pass_on(peer, form, values, pair, ready)
            for values, pair, ready in zip(rows, pairs, entries, strict=True)
        ]

    def _is_taken(self, peer: str, data: bytes, forms: list[Form], tried: Form | None = None) -> bool:
        """Take a message by itself, if it fits a form other than the one that was tried."""
        for form in forms:
            if form is not tried and form.fits(data):
                values = form.values_of(data)
                if data[4] & REQUEST:
                    pair: bytes = form.pair_of(values) if form.is_split else values[form.first_at]
                    if self._pass_on(peer, form, values, pair, form.kind.ready.get(pair)):
                        return True
                elif self._returning.take(form, values):
                    return True
        return False

    # --- requests --------------------------------------------------------------------------------------------

    def _pass_on(self, peer: str, form: Form, values: Values, pair: bytes, ready: Ready | None) -> bool:
        """Pass on a request that fits, if there is nothing unusual about its values."""
        end_to_end: bytes = values[END_TO_END]
        kind = form.kind
        if ready is None:
            user, public = form.both_of(values)
            ready = self._ready.make(kind, user, public, self._as_default, self._wall_s)
            if ready is None:
                return False
        if ready[MAPS] is not form.maps or ready[FIRST_OCTETS_ASKED] != form.first_octets:
            return False
        if (self._may_have_ended and self._has_ended(ready)) or end_to_end in self._duplicates.known or self._left <= 0:
            return False
        item: bytes = values[form.item_at] if form.has_values else b""
        server = b""
        if kind.route is _TO_HSS:
            session: bytes = values[form.session_at]
            ours = server = self._server_names.of(ready[IMPIS])
        else:
            if item or form.digit_grams or ready[HAS_CASE]:
                sign_from: int = ready[ASKED_FROM]
                sign_end: int = ready[ASKED_END]
                if form.may_show(item, pair, sign_from, sign_end, ready) and form.shows(item, ready[LENT], False):
                    return False
            ours = session = self._session_ids.next_digits(form.session_ids_high)
        if not session or bool(server) is not bool(form.out.server):
            return False
        bucket = form.bucket
        if bucket is not None and not bucket.take(self._now_s):
            return False
        batch = form.batch
        if batch is None or batch.outlet.left <= 0:
            chosen = self._outlets.open_one(form.outlets or self._outlets_of(form))
            if chosen is None:
                is_refused = self._refuse(peer, form, values)
                if bucket is not None and not is_refused:
                    bucket.put_back()  # the whole way takes one
                return is_refused
            batch = self._begun(peer, form, chosen)
        outlet = batch.outlet
        number: Any = outlet.hop_by_hop
        octets: int = ready[OCTETS_SENT]
        octets += len(session) + len(item) + len(server)
        form.out.write(
            outlet.out,
            octets,
            outlet.hop_by_hop,
            end_to_end,
            session,
            ready[FIRST_SENT],
            ready[SECOND_SENT],
            item,
            server,
        )
        outlet.count += 1
        outlet.hop_by_hop = outlet.hop_by_hop + 1 & 0xFFFFFFFF
        outlet.left -= 1
        # one object, known as the same in both tables: of a tuple of known length mypyc makes one for each use
        record: Record = (values, ready, batch, number, ours)
        outlet.queue.waiting[number] = record
        self._duplicates.known[end_to_end] = record
        batch.numbers.append(number)
        self._left -= 1
        return True

    def _has_ended(self, ready: Ready) -> bool:
        until_s: float = ready[UNTIL_S]
        return self._wall_s >= until_s

    def _outlets_of(self, form: Form) -> list[Outlet]:
        """Keep the candidates' outlets with a form, for they are asked for each read, and return them."""
        form.outlets = [self._outlets.of(candidate) for candidate in form.candidates]
        return form.outlets

    def _begun(self, peer: str, form: Form, outlet: Outlet) -> Batch:
        """Begin what goes from this peer, of this form, to that one; it has its deadlines."""
        now_s = self._now_s
        budget_s = self._hss_s if form.kind.route is _TO_HSS else self._partner_s
        back = form.back
        if back is None:
            back = form.back = self._outlets.of(peer)
        batch = Batch(form, back, outlet, now_s, now_s + budget_s, self._changes, self._ready.age)
        if len(form.candidates) > 1 and self._attempt_s < budget_s:
            self._deadlines.add(now_s + self._attempt_s, batch)
        self._deadlines.add(batch.deadline_s, batch)
        if not outlet.count:
            self._outlets.written.append(outlet)
        self._batches.append(batch)
        form.batch = batch
        return batch

    def _refuse(self, peer: str, form: Form, values: Values) -> bool:
        """Answer 3004 when all peers that are open have enough to do; else leave it to the whole way to say why not."""
        busy = form.busy
        if busy is None or not self._outlets.is_any_ready(form.candidates):
            return False
        data = form.octets_of(values)
        self._outlets.add(self._outlets.of(peer), answered(busy, data, form.found, b""))
        self._counters.passed(form.request_key, form.kind.name, 1)
        self._refused(peer, data)
        return True

    # --- counting --------------------------------------------------------------------------------------------

    def _count_requests(self) -> None:
        """Count the requests of this read."""
        for batch in self._batches:
            count = batch.left = len(batch.numbers)
            batch.queue.sent += count
            self._pending.count += count
            self._counters.passed(batch.form.request_key, batch.form.kind.name, count)
            self.taken += count
            batch.form.batch = None
        self._batches.clear()

    # --- learning --------------------------------------------------------------------------------------------

    def learn_request(self, peer: str, pending: Pending, system: str, source: str, limits: Limits | None) -> None:
        """Look at a request of a migrated user that has gone the whole way, of a peer with these limits."""
        self._learning.request(peer, pending, system, source, self._as_default, limits)

    def learn_answer(self, peer: str, pending: Pending, data: bytes, out: bytes) -> None:
        """Look at a MAA with a vector that has gone the whole way back."""
        self._learning.answer(peer, pending, data, out)

    def _forget_forms(self) -> None:
        self._requests.clear()
        self._answers.clear()
        self._ready.begin_anew()

    def reconfigure(self, settings: Settings) -> None:
        """Hold other limits from now on, and forget all forms: what they rest on may have changed."""
        self._attempt_s = settings.attempt_s
        self._partner_s = min(settings.aaa_2_s, settings.csc_y_s)
        self._hss_s = min(settings.csc_y_s, settings.hss_s)
        self._as_default = settings.hss_as_default
        self._map_age_max_s = settings.map_age_max_s
        self._forget_forms()
        self._outlets.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._requests.sweep()
        self._answers.sweep()
        self._ready.let_go_of_ended(self._clock(), self._wall_clock())


_NO_FORMS: Final[list[Form]] = []
_NONE_OF_ANY_LENGTH: Final[dict[int, list[Form]]] = {}
