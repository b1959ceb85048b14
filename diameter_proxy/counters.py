"""What the proxy counts, in plain ints; ``metrics`` reads them when it is asked (no label look-up per message)."""

from typing import Final

BUCKETS: Final = 16
FIRST_BUCKET_S: Final = 0.0001
"""Upper bound of the first latency bucket; each next one is twice as wide."""


ANSWERS_MAX: Final = 2000
KNOWN: Final = frozenset(range(300, 306))
"""The commands of Cx; any other is counted as 0."""

_RESULT_CODE: Final = bytes.fromhex("0000010c4000000c")
_EXPERIMENTAL: Final = bytes.fromhex("0000012a4000000c")


class Counters:
    """Counts since the start."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], int] = {}
        """By peer, its class and command code."""
        self.answers: dict[tuple[str, int, int], int] = {}
        """By peer, command code and Result-Code or Experimental-Result-Code."""
        self.refused: dict[tuple[str, int], int] = {}
        """By "result" or "experimental", and code."""
        self.routed: dict[str, int] = {}
        """By the name of the route taken."""
        self.latency = [0] * (BUCKETS + 1)
        self.latency_sum_s = 0.0
        self.answers_relayed = 0
        self.answers_discarded = 0
        self.answers_refused = 0
        self.answers_undeliverable = 0
        self.resent = 0
        self.expired = 0
        self.duplicates_joined = 0
        self.duplicates_answered = 0
        self.look_ups = 0
        self.look_ups_failed = 0
        self.home_deregistrations = 0
        self.faults = 0

    def request(self, peer: str, source: str, command: int) -> None:
        """Count a request; a peer that makes commands up does not fill memory."""
        key = (peer, source, command if command in KNOWN else 0)
        self.requests[key] = self.requests.get(key, 0) + 1

    def answer(self, peer: str, command: int, data: bytes) -> None:
        """Count an answer of a peer by the code that stands in it."""
        key = (peer, command, _code_in(data))
        found = self.answers.get(key)
        if found is None and len(self.answers) >= ANSWERS_MAX:
            key, found = (peer, command, 0), self.answers.get((peer, command, 0))
        self.answers[key] = 1 if found is None else found + 1

    def passed(self, key: tuple[str, str, int], route: str, count: int) -> None:
        """Count requests that the express lane has taken, by peer, source and command, and by route."""
        self.requests[key] = self.requests.get(key, 0) + count
        self.routed[route] = self.routed.get(route, 0) + count

    def returned(self, key: tuple[str, int, int], count: int) -> None:
        """Count answers that the express lane has taken, by peer, command and code."""
        self.answers[key] = self.answers.get(key, 0) + count

    def refusal(self, result_code: int | None, experimental: int | None) -> None:
        """Count an answer of our own by its code."""
        key = ("result", result_code) if result_code is not None else ("experimental", experimental or 0)
        self.refused[key] = self.refused.get(key, 0) + 1

    def answered(self, latency_s: float, count: int = 1) -> None:
        """Count answers that went back, by how long each took."""
        self.answers_relayed += count
        self.latency_sum_s += latency_s * count
        self.latency[min(int(latency_s / FIRST_BUCKET_S).bit_length(), BUCKETS)] += count


def _code_in(data: bytes) -> int:
    """Return the code of an answer by a search for its AVP: a count is worth no walk over all of them."""
    at = data.find(_RESULT_CODE, 20)
    if at < 0:
        at = data.find(_EXPERIMENTAL, 20)
    return int.from_bytes(data[at + 8 : at + 12], "big") if at > 0 else 0
