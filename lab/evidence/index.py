"""The messages of a capture by what finds them, so that reading ten thousand registrations stays linear.

Each list is in the order of frames.  Built once for a capture; nothing here judges.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from lab.evidence.facts import RunFacts
from lab.evidence.legs import leg_of
from lab.evidence.messages import Capture, DiameterMessage, HttpMessage, SipMessage

MAR: Final = 303
USER_NAME: Final = 1
PUBLIC_IDENTITY: Final = 601
NEVER: Final = 1 << 60
BASE_PROTOCOL: Final = frozenset({257, 280, 282})

Message = TypeVar("Message", SipMessage, DiameterMessage)
SipKey = tuple[str, tuple[int, str], str, str]


class Exchange(NamedTuple):
    """An HTTP request and its response, if one came."""

    request: HttpMessage
    response: HttpMessage | None

    @property
    def status(self) -> int:
        return self.response.status if self.response else 0

    def answer(self) -> dict[str, Any]:
        """Return the JSON object of a response, or an empty one."""
        return self.response.json() if self.response else {}

    @property
    def frames(self) -> tuple[int, ...]:
        return (self.request.frame.number, *((self.response.frame.number,) if self.response else ()))


class Hop(NamedTuple):
    """A Diameter request and its answer on one leg."""

    request: DiameterMessage
    answer: DiameterMessage | None


class Index:
    """Messages by connection and Hop-by-Hop, by End-to-End, by identity, by leg; SIP by Call-ID; HTTP by path."""

    def __init__(self, capture: Capture, facts: RunFacts) -> None:
        self._facts = facts
        self._legs: dict[tuple[str, str], str] = {}
        self.exchanges = tuple(_pair(capture.http))
        self._by_path: defaultdict[str, list[Exchange]] = defaultdict(list)
        for exchange in self.exchanges:
            self._by_path[exchange.request.path].append(exchange)
        self._index_diameter(capture.diameter)
        self._index_sip(capture.sip)

    def _index_diameter(self, messages: Iterable[DiameterMessage]) -> None:
        self._requests: defaultdict[tuple[int, int, int], list[DiameterMessage]] = defaultdict(list)
        self._answers: defaultdict[tuple[int, int, int], list[DiameterMessage]] = defaultdict(list)
        self._on_leg: defaultdict[tuple[str, int], list[DiameterMessage]] = defaultdict(list)
        self._of_identity: defaultdict[tuple[int, str], list[DiameterMessage]] = defaultdict(list)
        self._of_end_to_end: defaultdict[tuple[str, int], list[DiameterMessage]] = defaultdict(list)
        for message in messages:
            key = (message.frame.stream, message.hop_by_hop, message.command_code)
            (self._requests if message.is_request else self._answers)[key].append(message)
            if message.command_code in BASE_PROTOCOL:
                continue
            leg = self.leg(message)
            self._on_leg[leg, message.command_code].append(message)
            self._on_leg[leg, 0].append(message)
            if message.is_request:
                for identity in {message.value(USER_NAME), message.value(PUBLIC_IDENTITY)} - {None}:
                    self._of_identity[message.command_code, str(identity)].append(message)
                if message.command_code == MAR:
                    self._of_end_to_end[leg, message.end_to_end].append(message)

    def _index_sip(self, messages: Iterable[SipMessage]) -> None:
        self._finals: defaultdict[SipKey, list[SipMessage]] = defaultdict(list)
        self._copies: defaultdict[tuple[str, tuple[int, str], int], list[SipMessage]] = defaultdict(list)
        self._calls: defaultdict[str, list[SipMessage]] = defaultdict(list)
        self._sent: defaultdict[tuple[str, str], list[SipMessage]] = defaultdict(list)
        self._received: defaultdict[tuple[str, str], list[SipMessage]] = defaultdict(list)
        for message in messages:
            frame = message.frame
            self._copies[message.call_id, message.cseq, message.status].append(message)
            self._calls[message.call_id].append(message)
            if message.is_request:
                self._sent[frame.source, message.method].append(message)
                self._received[frame.destination, message.method].append(message)
            elif message.status >= 200:
                self._finals[message.call_id, message.cseq, frame.source, frame.destination].append(message)

    def leg(self, message: DiameterMessage | SipMessage | HttpMessage) -> str:
        """Return the wire that a message was on."""
        ends = (message.frame.source, message.frame.destination)
        if ends not in self._legs:
            self._legs[ends] = leg_of(message.frame, self._facts)
        return self._legs[ends]

    def at(self, path: str) -> Sequence[Exchange]:
        """Return the exchanges with exactly this path."""
        return self._by_path.get(path, ())

    def at_within(self, path: str, first_s: float, last_s: float) -> Sequence[Exchange]:
        """Return the exchanges with this path whose request came in a span of time, its ends included."""
        found = self.at(path)
        start = bisect_left(found, first_s, key=_time_of)
        return found[start : bisect_right(found, last_s, key=_time_of)]

    def diameter(self, leg: str, command: int = 0) -> Sequence[DiameterMessage]:
        """Return the messages on a leg, of one command where given; CER, DWR and DPR aside."""
        return self._on_leg.get((leg, command), ())

    def answer_to(self, request: DiameterMessage) -> DiameterMessage | None:
        """Return the answer on the same connection with the same Hop-by-Hop (RFC 6733 §3)."""
        key = (request.frame.stream, request.hop_by_hop, request.command_code)
        return next(iter(since(self._answers.get(key, ()), request.frame.number)), None)

    def request_of(self, answer: DiameterMessage) -> DiameterMessage | None:
        """Return the last request on the same connection with the same Hop-by-Hop before an answer."""
        key = (answer.frame.stream, answer.hop_by_hop, answer.command_code)
        earlier = between(self._requests.get(key, ()), -1, answer.frame.number + 1)
        return earlier[-1] if earlier else None

    def hop(self, request: DiameterMessage) -> Hop:
        """Return a request with its answer."""
        return Hop(request, self.answer_to(request))

    def requests_for(self, command: int, identities: Iterable[str], after: int, before: int) -> list[DiameterMessage]:
        """Return the requests strictly between two frames whose User-Name or Public-Identity is one of these."""
        found = {
            id(message): message
            for identity in identities
            for message in between(self._of_identity.get((command, identity), ()), after, before)
        }
        return sorted(found.values(), key=_number_of)

    def mars_of(self, end_to_end: int, leg: str, after: int, before: int) -> Sequence[DiameterMessage]:
        """Return the MARs on a leg with an End-to-End, strictly between two frames."""
        return between(self._of_end_to_end.get((leg, end_to_end), ()), after, before)

    def reply_to(self, request: SipMessage | None) -> SipMessage | None:
        """Return the final response to a request on the same leg."""
        if request is None:
            return None
        frame = request.frame
        found = self._finals.get((request.call_id, request.cseq, frame.destination, frame.source), ())
        return next(iter(since(found, frame.number + 1)), None)

    def copies_of(self, message: SipMessage) -> Sequence[SipMessage]:
        """Return the same message on every SIP leg."""
        return self._copies.get((message.call_id, message.cseq, message.status), ())

    def call(self, call_id: str) -> Sequence[SipMessage]:
        """Return every message of a Call-ID."""
        return self._calls.get(call_id, ())

    def sent(self, addresses: Iterable[str], method: str) -> list[SipMessage]:
        """Return the requests of a method that came from these addresses."""
        return sorted((m for a in set(addresses) for m in self._sent.get((a, method), ())), key=_number_of)

    def received(self, addresses: Iterable[str], methods: Iterable[str], after: int) -> list[SipMessage]:
        """Return the requests of these methods that went to these addresses after a frame."""
        keys = [(address, method) for address in set(addresses) for method in methods]
        return sorted((m for key in keys for m in since(self._received.get(key, ()), after + 1)), key=_number_of)


def between(messages: Sequence[Message], after: int, before: int) -> Sequence[Message]:
    """Return the messages strictly between two frame numbers."""
    return messages[bisect_right(messages, after, key=_number_of) : bisect_left(messages, before, key=_number_of)]


def since(messages: Sequence[Message], frame: int) -> Sequence[Message]:
    """Return the messages from a frame on."""
    return messages[bisect_left(messages, frame, key=_number_of) :]


def _number_of(message: SipMessage | DiameterMessage) -> int:
    return message.frame.number


def _time_of(exchange: Exchange) -> float:
    return exchange.request.frame.time_s


def _pair(messages: Iterable[HttpMessage]) -> Iterator[Exchange]:
    """Pair requests and responses of a TCP stream, first in, first out (HTTP/1.1); interim responses are none.

    A response that answers nothing is passed over.
    """
    order: list[list[HttpMessage | None]] = []
    waiting: defaultdict[int, deque[list[HttpMessage | None]]] = defaultdict(deque)
    for message in messages:
        queue = waiting[message.frame.stream]
        if message.is_request:
            pair: list[HttpMessage | None] = [message, None]
            order.append(pair)
            queue.append(pair)
        elif message.status >= 200 and queue:
            queue.popleft()[1] = message
    for request, response in order:
        assert request is not None
        yield Exchange(request, response)
