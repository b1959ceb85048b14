"""Repeated requests: joined to the pending one, or answered from memory (RFC 6733 §3, T bit; DESIGN: duplicates).

Two S-CSCFs' End-to-End numbers do overlap, so a duplicate is equal in all six: Origin-Host, End-to-End, Session-Id,
User-Name, Public-Identity and SIP-Auth-Data-Item.  They are compared only where End-to-End is the same.  Memory is
bounded in number and in time.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from diameter_proxy.forms import END_TO_END
from diameter_proxy.pending import ASKED, Pending, PendingRequests, Record
from diameter_proxy.remembered import Remembered
from diameter_proxy.routing import MAR, Route
from diameter_proxy.splice import (
    ORIGIN_HOST,
    PUBLIC_IDENTITY,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    USER_NAME,
    avp_at,
    locate,
)

_COMPARED: Final = (ORIGIN_HOST, SESSION_ID, USER_NAME, PUBLIC_IDENTITY, SIP_AUTH_DATA_ITEM)


def is_same(data: bytes, found: list[int], pending: Pending) -> bool:
    """Say whether a request is equal to another in all six fields, octet for octet."""
    asked, places = pending.asked, pending.found
    return data[16:20] == pending.end_to_end and all(
        _field(data, found[slot]) == _field(asked, places[slot]) for slot in _COMPARED
    )


def _field(data: bytes, start: int) -> bytes:
    return avp_at(data, start) if start else b""


class Duplicates:
    """What is pending and what was answered lately, by End-to-End Identifier."""

    def __init__(self, pending: PendingRequests, entries_max: int = 10_000, keep_s: float = 10.0) -> None:
        """Take where records of the express lane wait."""
        self._pending: Final = pending
        self._entries_max = entries_max
        self.keep_s = keep_s
        self.known: Final[dict[bytes, Pending | Record | Remembered]] = {}
        """The first of each; the express lane puts its own in, where there is none, and leaves to us to take it out."""
        self._more: dict[bytes, list[Pending]] = {}
        """Further ones with an End-to-End Identifier that is known already: a rare thing."""
        self._answered: deque[Pending | Remembered] = deque()
        """The oldest first."""
        self._count = 0
        pending.on_made = self._made

    def limit(self, entries_max: int, keep_s: float) -> None:
        """Hold other limits from now on."""
        self._entries_max, self.keep_s = entries_max, keep_s

    def find(self, data: bytes, found: list[int], now_s: float) -> Pending | None:
        """Return the same request that is under way, or that was answered lately (``remembered``)."""
        self.forget_old(now_s)
        end_to_end = data[16:20]
        first = self.known.get(end_to_end)
        if first is None:
            return None
        for pending in [*self._as_pending(first, end_to_end), *self._more.get(end_to_end, [])]:
            if (not pending.is_done or now_s < pending.forget_s) and is_same(data, found, pending):
                return pending
        return None

    def begin(self, pending: Pending) -> None:
        """Note a request that is under way."""
        if self.known.setdefault(pending.end_to_end, pending) is not pending:
            self._more.setdefault(pending.end_to_end, []).append(pending)
        pending.is_unique = True

    def settle(self, pending: Pending, answer: bytes | None, now_s: float) -> None:
        """Note that a request is not under way any more; remember its answer when it may be given again."""
        if answer is None:
            self._forget(pending)
            return
        pending.remembered = answer
        pending.forget_s = now_s + self.keep_s
        pending.sent = b""
        self._answered.append(pending)
        self._count += 1
        self._keep_few()

    def remember(self, remembered: Remembered) -> None:
        """Note when to let go of answers that the express lane has put into ``known``.

        Those of one read go together: where there are too many, a few less may be left than ``entries_max``.
        """
        self._answered.append(remembered)
        self._count += len(remembered.end_to_ends)
        if self._count > self._entries_max:
            self._keep_few()

    def forget_old(self, now_s: float) -> None:
        """Let go of answers whose time is up; they stand in the order in which they end."""
        answered = self._answered
        while answered:
            oldest = answered[0]
            if (oldest.until_s if isinstance(oldest, Remembered) else oldest.forget_s) > now_s:
                return
            self._forget_oldest()

    def __len__(self) -> int:
        return self._count

    def _keep_few(self) -> None:
        while self._count > self._entries_max:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._answered.popleft()
        if not isinstance(oldest, Remembered):
            self._count -= 1
            self._forget(oldest)
            return
        end_to_ends = oldest.end_to_ends
        self._count -= len(end_to_ends)
        known = self.known
        for end_to_end in end_to_ends:
            hash(end_to_end)  # none of them is in a cache any more: have several fetched at a time
        for end_to_end in end_to_ends:
            known.pop(end_to_end, None)
        if self._more:
            for end_to_end in end_to_ends:
                self._let_follow(end_to_end)

    def _forget(self, pending: Pending) -> None:
        end_to_end = pending.end_to_end
        if self.known.get(end_to_end) is pending:
            del self.known[end_to_end]
            self._let_follow(end_to_end)
        elif end_to_end in self._more:
            others = [other for other in self._more.pop(end_to_end) if other is not pending]
            if others:
                self._more[end_to_end] = others

    def _let_follow(self, end_to_end: bytes) -> None:
        """Put the next one with the same End-to-End Identifier in the place of the one that has gone."""
        others = self._more.pop(end_to_end, None)
        if others:
            self.known[end_to_end] = others.pop(0)
            if others:
                self._more[end_to_end] = others

    def _as_pending(self, known: Pending | Record | Remembered, end_to_end: bytes) -> Iterator[Pending]:
        """Yield what is known as the whole way knows it; nothing of an answer that was lost before it went out."""
        if isinstance(known, Pending):
            yield known
        elif isinstance(known, tuple):
            yield self._pending.made_of(known)
        else:
            for asked, answer in known.found(end_to_end):
                pending = Pending("", asked, locate(asked), Route.PARTNER, MAR, b"", (), 0.0, 0.0)
                pending.is_done, pending.remembered, pending.forget_s = True, answer, known.until_s
                yield pending

    def _made(self, record: Record, pending: Pending) -> None:
        end_to_end: bytes = record[ASKED][END_TO_END]
        if self.known.get(end_to_end) is record:
            self.known[end_to_end] = pending
            pending.is_unique = True
