"""How long each hop of a run took: from a request to its answer on one wire, by command, method or path.

Times are those of the capture; what was never answered is counted and has no time.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Final, NamedTuple

from lab.evidence.legs import LEGS, wire_of
from lab.evidence.story import Evidence

COMMANDS: Final = {300: "UAR", 301: "SAR", 302: "LIR", 303: "MAR", 304: "RTR", 305: "PPR"}
SEEN_BY_UE: Final = "gm"
_HANDLE: Final = re.compile(r"^(?=.*\d)[A-Za-z0-9_-]{8,}$")


class HopTime(NamedTuple):
    """One kind of hop: how many requests were answered, how many were not, the median in milliseconds."""

    answered: int
    unanswered: int
    median_ms: float | None


def hop_times(evidence: Evidence) -> dict[str, HopTime]:
    """Return ``wire what`` -> its times, in the order in which each kind was first seen."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for _, name, took_s in sorted(_hops(evidence), key=lambda hop: hop[0]):
        found[name].append(took_s)
    return {name: _summary(times) for name, times in found.items()}


def _summary(times: list[float | None]) -> HopTime:
    known = [took_s for took_s in times if took_s is not None]
    return HopTime(len(known), len(times) - len(known), round(median(known) * 1000, 3) if known else None)


def _hops(evidence: Evidence) -> Iterator[tuple[int, str, float | None]]:
    yield from _diameter(evidence)
    yield from _sip(evidence)
    for exchange in evidence.exchanges:
        request, response = exchange.request, exchange.response
        name = f"{wire_of(request.frame, evidence.facts)} {request.method} {_template(request.path)}"
        yield request.frame.number, name, response.frame.time_s - request.frame.time_s if response else None


def _diameter(evidence: Evidence) -> Iterator[tuple[int, str, float | None]]:
    for leg in sorted(LEGS):
        for request in evidence.index.diameter(leg):
            if request.is_request:
                answer = evidence.index.answer_to(request)
                name = f"{leg} {COMMANDS.get(request.command_code, request.command_code)}"
                took_s = answer.frame.time_s - request.frame.time_s if answer else None
                yield request.frame.number, name, took_s


def _sip(evidence: Evidence) -> Iterator[tuple[int, str, float | None]]:
    """Yield the requests that a UE sent; a retransmission counts from the first."""
    seen: set[tuple[str, tuple[int, str]]] = set()
    for request in evidence.capture.sip:
        key = (request.call_id, request.cseq)
        is_sent_by_ue = evidence.facts.role(request.frame.source) == "ue"
        if not request.is_request or not is_sent_by_ue or key in seen or request.method == "ACK":
            continue
        seen.add(key)
        reply = evidence.index.reply_to(request)
        name = f"{SEEN_BY_UE} {request.method}"
        yield request.frame.number, name, reply.frame.time_s - request.frame.time_s if reply else None


def _template(path: str) -> str:
    """Return a path without its query, and with ``*`` for what names one thing."""
    segments = path.partition("?")[0].split("/")
    return "/".join("*" if _HANDLE.match(segment) else segment for segment in segments)
