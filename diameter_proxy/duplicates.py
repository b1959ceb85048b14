"""Repeated requests: joined to the pending one, or answered from memory (RFC 6733 §3, T bit; DESIGN: duplicates).

Two S-CSCFs' End-to-End numbers do overlap, so a duplicate is equal in all six: Origin-Host, End-to-End, Session-Id,
User-Name, Public-Identity and SIP-Auth-Data-Item.  Memory is bounded in number and in time.
"""

from typing import Final

from diameter_proxy.hot_path import (
    ORIGIN_HOST,
    PUBLIC_IDENTITY,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    USER_NAME,
    avp_at,
)
from diameter_proxy.pending import DuplicateKey, Pending

_KEY_SLOTS: Final = (ORIGIN_HOST, SESSION_ID, USER_NAME, PUBLIC_IDENTITY, SIP_AUTH_DATA_ITEM)


def duplicate_key(data: bytes, found: list[int]) -> DuplicateKey:
    """Return the six fields of a request, octet for octet."""
    return (data[16:20], *[avp_at(data, found[slot]) if found[slot] else b"" for slot in _KEY_SLOTS])


class Duplicates:
    """What is pending and what was answered lately, by the six fields."""

    def __init__(self, entries_max: int = 10_000, keep_s: float = 10.0) -> None:
        self._entries_max = entries_max
        self._keep_s = keep_s
        self._pending: dict[DuplicateKey, Pending] = {}
        self._answers: dict[DuplicateKey, tuple[float, bytes]] = {}

    def limit(self, entries_max: int, keep_s: float) -> None:
        """Hold other limits from now on."""
        self._entries_max, self._keep_s = entries_max, keep_s

    def pending(self, key: DuplicateKey) -> Pending | None:
        """Return the same request that is under way."""
        return self._pending.get(key)

    def answer(self, key: DuplicateKey, now_s: float) -> bytes | None:
        """Return the answer that the same request has got lately."""
        entry = self._answers.get(key)
        return entry[1] if entry is not None and now_s < entry[0] else None

    def begin(self, key: DuplicateKey, pending: Pending) -> None:
        """Note a request that is under way."""
        self._pending[key] = pending

    def settle(self, key: DuplicateKey, answer: bytes | None, now_s: float) -> None:
        """Note that a request is not under way any more; remember its answer when it may be given again."""
        self._pending.pop(key, None)
        if answer is None:
            return
        self._answers.pop(key, None)
        while len(self._answers) >= self._entries_max:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = (now_s + self._keep_s, answer)

    def forget_old(self, now_s: float) -> None:
        """Let go of answers whose time is up; they stand in the order in which they end."""
        while self._answers:
            oldest = next(iter(self._answers))
            if self._answers[oldest][0] > now_s:
                return
            del self._answers[oldest]

    def __len__(self) -> int:
        return len(self._answers)
