"""What the proxy counts, in plain ints; ``metrics`` reads them when it is asked (no label look-up per message)."""

from typing import Final

BUCKETS: Final = 16
FIRST_BUCKET_S: Final = 0.0001
"""Upper bound of the first latency bucket; each next one is twice as wide."""


class Counters:
    """Counts since the start."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        """By class of the source and command code."""
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

    def request(self, source: str, command: int) -> None:
        """Count a request."""
        key = (source, command)
        self.requests[key] = self.requests.get(key, 0) + 1

    def refusal(self, result_code: int | None, experimental: int | None) -> None:
        """Count an answer of our own by its code."""
        key = ("result", result_code) if result_code is not None else ("experimental", experimental or 0)
        self.refused[key] = self.refused.get(key, 0) + 1

    def answered(self, latency_s: float) -> None:
        """Count an answer that went back, by how long it took."""
        self.answers_relayed += 1
        self.latency_sum_s += latency_s
        self.latency[min(int(latency_s / FIRST_BUCKET_S).bit_length(), BUCKETS)] += 1
