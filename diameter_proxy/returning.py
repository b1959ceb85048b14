"""The way back on the express lane: the MAA to a request that it has passed on (10.6.2 steps 8 to 10).

``begin`` with what a read brings from a peer, ``take`` for each answer that fits a form, ``end``.  Runs as plain Python
and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from typing import Any, Final

from diameter_proxy.counters import Counters
from diameter_proxy.duplicates import Duplicates
from diameter_proxy.forms import END_TO_END, HOP_BY_HOP, Form, Values
from diameter_proxy.identity_map import BINDING, IdentityMap, LentSet
from diameter_proxy.outlets import Outlets
from diameter_proxy.pending import ASKED, BATCH, NO_QUEUE, READY, Batch, PendingRequests, Queue, write_back
from diameter_proxy.ready_sets import (
    FIRST_OCTETS_SENT,
    FIRST_SENT,
    LENT,
    SENT_END,
    SENT_FROM,
    UNTIL_S,
    Ready,
    ReadySets,
    sent_avps,
)
from diameter_proxy.remembered import Remembered
from diameter_proxy.routing import Route

_TO_HSS: Final = Route.HSS_AS_KNOWN


class Returning:
    """Gives answers back."""

    def __init__(
        self,
        identities: IdentityMap,
        pending: PendingRequests,
        duplicates: Duplicates,
        counters: Counters,
        ready: ReadySets,
        outlets: Outlets,
        used: Callable[[str], None],
    ) -> None:
        """Take what the lane works on; ``used`` hears of each vector that goes to a partner."""
        self._identities: Final = identities
        self._pending: Final = pending
        self._duplicates: Final = duplicates
        self._counters: Final = counters
        self._ready: Final = ready
        self._outlets: Final = outlets
        self._used: Final = used
        self._queue = NO_QUEUE
        self._waiting: dict[int, Any] = {}
        """What waits for answers of the peer whose messages are being handled."""
        self._now_s = 0.0
        self._wall_s = 0.0
        self._may_have_ended = False
        self._changes = 0
        self._remembered: Remembered | None = None
        """The answers of this read."""
        self._fitted: list[Form] = []
        """What they fitted."""
        self._waited_s = 0.0
        self._waited = 0

    def begin(self, queue: Queue, now_s: float, wall_s: float, may_have_ended: bool, changes: int) -> None:
        """Begin a read of the peer for which ``queue`` waits.

        ``may_have_ended``: whether the time of any entry of ``ready_sets`` may be up; ``changes``: how often the
        identity map has been changed.
        """
        self._queue = queue
        self._waiting = queue.waiting
        self._now_s = now_s
        self._wall_s = wall_s
        self._may_have_ended = may_have_ended
        self._changes = changes

    def take(self, form: Form, values: Values) -> bool:
        """Give back an answer that fits, if there is nothing unusual about its values."""
        number = values[HOP_BY_HOP]
        record = self._waiting.get(number)
        if not isinstance(record, tuple):
            return False
        ready: Ready = record[READY]
        batch: Batch = record[BATCH]
        asked: Values = record[ASKED]
        end_to_end: bytes = asked[END_TO_END]
        came: bytes = values[END_TO_END]
        if came != end_to_end:
            return False
        fitted = batch.form
        if form.seen is not fitted:
            form.see(fitted)
        first: bytes = ready[FIRST_SENT]
        both: bytes = values[form.first_at]
        if form.repeats_both:
            if both != first:
                return False
        elif form.repeats_swapped:
            octets: int = ready[FIRST_OCTETS_SENT]
            if both != first[octets:] + first[:octets]:
                return False
        else:
            user, public = form.both_of(values)
            sent_user, sent_public = sent_avps(ready, fitted.user_first)
            if user != sent_user or public != sent_public:
                return False
        is_untouched = batch.map_changes == self._changes and batch.age == self._ready.age
        if (self._may_have_ended or not is_untouched) and not self._is_current(ready):
            return False
        item: bytes = values[form.item_at]
        sign_from: int = ready[SENT_FROM]
        sign_end: int = ready[SENT_END]
        if form.may_show(item, first, sign_from, sign_end, ready) and form.shows(item, ready[LENT], True):
            return False
        del self._waiting[number]
        batch.left -= 1
        if not batch.left:  # else they would be held until its deadline
            batch.numbers = []
        back = batch.back
        if not back.count:
            self._outlets.written.append(back)
        remembered = self._remembered
        if remembered is None:
            remembered = self._begin_remembering()
        remembered.end_to_ends.append(end_to_end)
        remembered.forms.append(fitted)
        if fitted.has_values:
            remembered.items[end_to_end] = asked[fitted.item_at]
        self._duplicates.known[end_to_end] = remembered
        write_back(back.out, fitted, asked, form, item)
        back.count += 1
        back.has_answers = True
        if fitted.kind.route is _TO_HSS:
            self._used(ready[LENT][BINDING])
        if not form.taken:
            self._fitted.append(form)
        form.taken += 1
        if batch.started_s != self._waited_s:
            if self._waited:
                self._count_waited()
            self._waited_s = batch.started_s
        self._waited += 1
        return True

    def _begin_remembering(self) -> Remembered:
        """Begin what is remembered of this read."""
        remembered = self._remembered = self._outlets.remembered = Remembered(self._now_s + self._duplicates.keep_s)
        return remembered

    def _is_current(self, ready: Ready) -> bool:
        """Say whether a binding still stands as it was, and may be used."""
        lent: LentSet = ready[LENT]
        return self._identities.bindings.get(lent[BINDING]) is lent and not self._wall_s >= ready[UNTIL_S]

    def end(self) -> None:
        """Count the answers of the read; what they answer waits no more."""
        remembered = self._remembered
        if remembered is None:
            return
        count = len(remembered.end_to_ends)
        self._duplicates.remember(remembered)
        self._remembered = None
        self._queue.settled += count
        self._pending.count -= count
        for form in self._fitted:
            self._counters.returned(form.answer_key, form.taken)
            form.taken = 0
        self._fitted.clear()
        self._count_waited()

    def _count_waited(self) -> None:
        """Count answers to requests that came in one read, and so took the same time."""
        self._counters.answered(self._now_s - self._waited_s, self._waited)
        self._waited = 0
