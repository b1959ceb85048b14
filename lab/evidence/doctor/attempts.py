"""Registrations of a capture, one by one: each REGISTER of a UE with every copy of it, its answer and its Cx requests.

Nothing is known of the network: the UE is who sends a REGISTER that nobody sent before, so that a capture which begins
at the I-CSCF is read as well.  A third-party REGISTER (TS 24.229 §5.4.1.7) is no registration.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from lab.evidence.messages import Capture, DiameterMessage, SipMessage
from lab.evidence.texts import digest_parameters, is_registering, is_third_party, uri_of

UAR: Final = 300
SAR: Final = 301
MAR: Final = 303
USER_NAME: Final = 1
PUBLIC_IDENTITY: Final = 601
COMMANDS: Final = frozenset({UAR, SAR, MAR})
CHALLENGES: Final = (401, 407)
SLACK_S: Final = 0.05


class Outcome(StrEnum):
    """How a registration ended."""

    REGISTERED = "registered"
    DEREGISTERED = "de-registered"
    REFUSED = "refused"
    UNANSWERED = "challenge not answered"
    SILENT = "no response"


class Hop(NamedTuple):
    """A Diameter request and its answer, if one came."""

    request: DiameterMessage
    answer: DiameterMessage | None

    @property
    def code(self) -> int:
        """(Experimental-)Result-Code, 0 without an answer."""
        return (self.answer.result_code or 0) if self.answer else 0

    @property
    def frames(self) -> tuple[int, ...]:
        return (self.request.frame.number, *((self.answer.frame.number,) if self.answer else ()))


@dataclass(frozen=True, slots=True)
class Round:
    """One REGISTER as the UE sent it, with all its copies on the way and all their responses, in order of time."""

    request: SipMessage
    response: SipMessage | None
    legs: tuple[SipMessage, ...]

    @property
    def authorization(self) -> dict[str, str]:
        """The digest parameters that the UE sent."""
        return digest_parameters(self.request.header("authorization"))

    @property
    def challenge(self) -> dict[str, str]:
        """The digest parameters of the challenge that came, empty when none did."""
        if self.response is None or self.response.status not in CHALLENGES:
            return {}
        return digest_parameters(self.response.header("www-authenticate"))

    @property
    def last_s(self) -> float:
        return max(message.frame.time_s for message in self.legs)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One registration of one UE, from its first REGISTER to the response that ended it."""

    rounds: tuple[Round, ...]
    hops: tuple[Hop, ...] = ()

    @property
    def ue(self) -> str:
        return self.rounds[0].request.frame.source

    @property
    def edge(self) -> str:
        """Whom the UE sent it to: the P-CSCF where the capture has that leg."""
        return self.rounds[0].request.frame.destination

    @property
    def impu(self) -> str:
        return uri_of(self.rounds[0].request.header("to"))

    @property
    def impi(self) -> str:
        """The private identity of the Authorization header, else the one of the Cx requests."""
        given = next((r.authorization["username"] for r in self.rounds if r.authorization.get("username")), "")
        return given or next((hop.request.value(USER_NAME) or "" for hop in self.hops), "")

    @property
    def response(self) -> SipMessage | None:
        """What the UE was told last."""
        return self.rounds[-1].response

    @property
    def status(self) -> int:
        return self.response.status if self.response else 0

    @property
    def outcome(self) -> Outcome:
        if self.response is None:
            return Outcome.SILENT
        if self.status in CHALLENGES:
            return Outcome.UNANSWERED
        if self.status < 300:
            return Outcome.REGISTERED if is_registering(self.rounds[-1].request) else Outcome.DEREGISTERED
        return Outcome.REFUSED

    @property
    def has_failed(self) -> bool:
        return self.outcome not in (Outcome.REGISTERED, Outcome.DEREGISTERED)

    @property
    def legs(self) -> tuple[SipMessage, ...]:
        return tuple(message for one in self.rounds for message in one.legs)

    @property
    def decider(self) -> SipMessage | None:
        """The first response that says how it ended: from whoever decided so, before anybody passed it on."""
        final = [m for m in self.rounds[-1].legs if m.status >= 200 and m.status not in CHALLENGES]
        return final[0] if final else None

    def answered(self, command: int) -> list[Hop]:
        """Return the hops of a command."""
        return [hop for hop in self.hops if hop.request.command_code == command]


class HopIndex:
    """Hops by identity and by End-to-End, so that many registrations are read in one pass."""

    def __init__(self, hops: Iterable[Hop]) -> None:
        self._of_identity: defaultdict[str, list[Hop]] = defaultdict(list)
        self._of_end_to_end: defaultdict[tuple[int, int], list[Hop]] = defaultdict(list)
        for hop in sorted(hops, key=_asked_s):
            request = hop.request
            for identity in {request.value(USER_NAME) or "", request.value(PUBLIC_IDENTITY) or ""} - {""}:
                self._of_identity[identity].append(hop)
            self._of_end_to_end[request.end_to_end, request.command_code].append(hop)

    def of(self, identities: Iterable[str], first_s: float, last_s: float) -> tuple[Hop, ...]:
        """Return the hops of these identities in a span of time, and those of the same End-to-End in it."""
        own = [hop for identity in identities for hop in _within(self._of_identity[identity], first_s, last_s)]
        keys = {(hop.request.end_to_end, hop.request.command_code) for hop in own}
        found = {id(hop): hop for key in keys for hop in _within(self._of_end_to_end[key], first_s, last_s)}
        return tuple(sorted(found.values(), key=lambda hop: hop.request.frame.number))


def read_attempts(capture: Capture) -> tuple[Attempt, ...]:
    """Return the registrations of a capture in the order in which they began."""
    rounds = _rounds(capture.sip)
    grouped: defaultdict[tuple[str, str], list[list[Round]]] = defaultdict(list)
    for one in rounds:
        series = grouped[one.request.frame.source, uri_of(one.request.header("to"))]
        if series and _goes_on(series[-1][-1], one):
            series[-1].append(one)
        else:
            series.append([one])
    hops = HopIndex(hops_of(capture.diameter))
    attempts = [
        _with_hops(Attempt(tuple(given)), hops, _next_start(series, number))
        for series in grouped.values()
        for number, given in enumerate(series)
    ]
    return tuple(sorted(attempts, key=lambda attempt: attempt.rounds[0].request.frame.number))


def hops_of(messages: Iterable[DiameterMessage]) -> tuple[Hop, ...]:
    """Return each Cx request with its answer: same ends, same Hop-by-Hop (RFC 6733 §3)."""
    order: list[tuple[DiameterMessage, list[DiameterMessage]]] = []
    open_: dict[tuple[str, str, int, int], list[DiameterMessage]] = {}
    for message in messages:
        frame = message.frame
        if message.command_code not in COMMANDS:
            continue
        if message.is_request:
            answers: list[DiameterMessage] = []
            open_[frame.source, frame.destination, message.hop_by_hop, message.command_code] = answers
            order.append((message, answers))
            continue
        waiting = open_.get((frame.destination, frame.source, message.hop_by_hop, message.command_code))
        if waiting is not None:
            waiting.append(message)
    return tuple(Hop(request, answers[0] if answers else None) for request, answers in order)


def _within(hops: Sequence[Hop], first_s: float, last_s: float) -> Sequence[Hop]:
    return hops[bisect_left(hops, first_s, key=_asked_s) : bisect_right(hops, last_s, key=_asked_s)]


def _asked_s(hop: Hop) -> float:
    return hop.request.frame.time_s


def _rounds(messages: Sequence[SipMessage]) -> list[Round]:
    """Return the REGISTERs by Call-ID and CSeq, third-party ones left out: who sends those has received REGISTERs."""
    grouped: dict[tuple[str, int, str], list[SipMessage]] = {}
    for message in messages:
        number, method = message.cseq
        if method == "REGISTER":
            grouped.setdefault((message.call_id, number, uri_of(message.header("to"))), []).append(message)
    servers = {m.frame.destination for legs in grouped.values() for m in legs if m.is_request}
    rounds = []
    for legs in grouped.values():
        first = legs[0]
        if not first.is_request or first.frame.source in servers or is_third_party(first):
            continue
        to_ue = [m for m in legs if m.frame.destination == first.frame.source and m.status >= 200]
        rounds.append(Round(first, to_ue[0] if to_ue else None, tuple(legs)))
    return rounds


def _goes_on(before: Round, after: Round) -> bool:
    """Tell whether a REGISTER answers the challenge of the one before it."""
    return bool(before.challenge) and bool(after.authorization.get("nonce"))


def _next_start(series: Sequence[Sequence[Round]], number: int) -> float:
    if number + 1 == len(series):
        return float("inf")
    return series[number + 1][0].request.frame.time_s


def _with_hops(attempt: Attempt, hops: HopIndex, until_s: float) -> Attempt:
    """Add the Cx requests of its identities, and what agents on the way made of them: same End-to-End."""
    first_s = attempt.rounds[0].request.frame.time_s
    last_s = min(until_s, max(one.last_s for one in attempt.rounds) + SLACK_S)
    return Attempt(attempt.rounds, hops.of({attempt.impi, attempt.impu} - {""}, first_s, last_s))
