"""Repeated requests: joined to the pending one, or answered from memory (RFC 6733 §3, T bit; DESIGN: duplicates).

Two S-CSCFs' End-to-End numbers do overlap, so a duplicate is equal in all six: Origin-Host, End-to-End, Session-Id,
User-Name, Public-Identity and SIP-Auth-Data-Item.  They are compared only where End-to-End is the same.  Memory is
bounded in number and in time.
"""

from collections import deque
from typing import Final

from diameter_proxy.pending import Pending
from diameter_proxy.splice import ORIGIN_HOST, PUBLIC_IDENTITY, SESSION_ID, SIP_AUTH_DATA_ITEM, USER_NAME, avp_at

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

    def __init__(self, entries_max: int = 10_000, keep_s: float = 10.0) -> None:
        self._entries_max = entries_max
        self._keep_s = keep_s
        self._known: dict[bytes, Pending] = {}
        self._more: dict[bytes, list[Pending]] = {}
        """Further ones with an End-to-End Identifier that is known already: a rare thing."""
        self._answered: deque[Pending] = deque()

    def limit(self, entries_max: int, keep_s: float) -> None:
        """Hold other limits from now on."""
        self._entries_max, self._keep_s = entries_max, keep_s

    def __contains__(self, end_to_end: bytes) -> bool:
        """Say whether any request with this End-to-End Identifier is known."""
        return end_to_end in self._known

    def find(self, data: bytes, found: list[int], now_s: float) -> Pending | None:
        """Return the same request that is under way, or that was answered lately (``remembered``)."""
        end_to_end = data[16:20]
        first = self._known.get(end_to_end)
        if first is None:
            return None
        for pending in [first, *self._more.get(end_to_end, [])]:
            if (not pending.is_done or now_s < pending.forget_s) and is_same(data, found, pending):
                return pending
        return None

    def begin(self, pending: Pending) -> None:
        """Note a request that is under way."""
        if self._known.setdefault(pending.end_to_end, pending) is not pending:
            self._more.setdefault(pending.end_to_end, []).append(pending)
        pending.is_unique = True

    def settle(self, pending: Pending, answer: bytes | None, now_s: float) -> None:
        """Note that a request is not under way any more; remember its answer when it may be given again."""
        if answer is None:
            self._forget(pending)
            return
        pending.remembered = answer
        pending.forget_s = now_s + self._keep_s
        pending.sent = b""
        self._answered.append(pending)
        if len(self._answered) > self._entries_max:
            self._forget(self._answered.popleft())

    def forget_old(self, now_s: float) -> None:
        """Let go of answers whose time is up; they stand in the order in which they end."""
        answered = self._answered
        while answered and answered[0].forget_s <= now_s:
            self._forget(answered.popleft())

    def __len__(self) -> int:
        return len(self._answered)

    def _forget(self, pending: Pending) -> None:
        end_to_end = pending.end_to_end
        is_first = self._known.get(end_to_end) is pending
        if is_first:
            del self._known[end_to_end]
        if not self._more:
            return
        others = [other for other in self._more.pop(end_to_end, ()) if other is not pending]
        if others and is_first:
            self._known[end_to_end] = others.pop(0)
        if others:
            self._more[end_to_end] = others
