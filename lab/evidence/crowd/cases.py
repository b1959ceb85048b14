"""The messages of a storm by registration: a case opens with a REGISTER and closes when all of it has come.

Only open cases are held, so memory is bounded by how many UEs register at once and not by the capture.  A message finds
its case as a story finds its messages: SIP by Call-ID, Cx requests by the subscriber that they name, answers by
Hop-by-Hop on the same connection, a MAR by its End-to-End too.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lab.evidence.crowd.lines import Arrival
from lab.evidence.crowd.people import People
from lab.evidence.facts import RunFacts
from lab.evidence.index import BASE_PROTOCOL, MAR, PUBLIC_IDENTITY, USER_NAME
from lab.evidence.messages import Capture, DiameterMessage, Frame, SipMessage
from lab.evidence.texts import is_registering, uri_of

LINGER_S: Final = 2.5
"""After the final response: answers of Cx that were late, and copies on inner legs."""
SILENT_S: Final = 40.0
"""Without a word, and without a final response: Timer F of the UE is 32 s at the most (RFC 3261 §17.1.2.2)."""


@dataclass(slots=True, eq=False)
class Case:
    """One registration of one of the crowd while it is under way."""

    number: int
    system: str
    call_id: str
    due_s: float
    sip: list[SipMessage] = field(default_factory=list)
    diameter: list[DiameterMessage] = field(default_factory=list)

    def capture(self) -> Capture:
        """Return its messages, as a capture of nothing else."""
        return Capture(tuple(self.sip), tuple(self.diameter))


class Cases:
    """The open cases."""

    def __init__(self, facts: RunFacts, people: People) -> None:
        self._facts = facts
        self._people = people
        self._by_call: dict[str, Case] = {}
        self._by_number: defaultdict[int, list[Case]] = defaultdict(list)
        self._asked: dict[tuple[int, int, int], list[Case]] = {}
        self._by_end_to_end: dict[int, Case] = {}
        self._due: list[tuple[float, int, Case]] = []
        self._count = 0
        self.open_max = 0

    def take(self, arrival: Arrival) -> Iterator[Case]:
        """Take what came in a frame, and yield the cases that have closed by then."""
        yield from self._closed(arrival.frame.time_s)
        if arrival.sip is not None:
            self._take_sip(arrival.sip)
        for message in arrival.diameter:
            if message.command_code not in BASE_PROTOCOL:
                self._take_diameter(message)

    def rest(self) -> Iterator[Case]:
        """Yield the cases that are open when the capture ends."""
        yield from self._closed(float("inf"))

    def _take_sip(self, message: SipMessage) -> None:
        case = self._by_call.get(message.call_id)
        if case is None:
            case = self._opened(message)
            if case is None:
                return
        case.sip.append(message)
        is_final = message.status >= 200 and message.status != 401 and self._is_to_ue(message.frame)
        case.due_s = message.frame.time_s + (LINGER_S if is_final else SILENT_S)
        if is_final:
            self._await(case)

    def _opened(self, message: SipMessage) -> Case | None:
        """Return a new case where a UE registers at a P-CSCF as one of the crowd."""
        frame = message.frame
        if not is_registering(message) or self._facts.role(frame.destination) != "pcscf":
            return None
        number = self._people.number_of(uri_of(message.header("to")))
        if not number or self._facts.role(frame.source) != "ue":
            return None
        case = Case(number, self._facts.system_of(frame.destination), message.call_id, frame.time_s + SILENT_S)
        self._by_call[message.call_id] = case
        self._by_number[number].append(case)
        self._await(case)
        self.open_max = max(self.open_max, len(self._by_call))
        return case

    def _take_diameter(self, message: DiameterMessage) -> None:
        key = (message.frame.stream, message.hop_by_hop, message.command_code)
        if not message.is_request:
            cases = self._asked.pop(key, [])
        else:
            cases = self._cases_of(message)
            if cases:
                self._asked[key] = cases
        for case in cases:
            case.diameter.append(message)

    def _cases_of(self, request: DiameterMessage) -> list[Case]:
        """Return whom a request is about: by whom it names, and by the End-to-End of what came before on another leg.

        A MAR with another's identity would be missed by the step that it fails, were it not for its End-to-End.
        """
        number = self._people.number_of(request.value(USER_NAME) or request.value(PUBLIC_IDENTITY))
        cases = list(self._by_number.get(number, ())) if number else []
        if request.command_code == MAR:
            before = self._by_end_to_end.get(request.end_to_end)
            if before is not None and before not in cases and self._by_call.get(before.call_id) is before:
                cases.append(before)
            if cases:
                self._by_end_to_end.setdefault(request.end_to_end, cases[0])
        return cases

    def _await(self, case: Case) -> None:
        self._count += 1
        heapq.heappush(self._due, (case.due_s, self._count, case))

    def _closed(self, now_s: float) -> Iterator[Case]:
        while self._due and self._due[0][0] <= now_s:
            _, _, case = heapq.heappop(self._due)
            if self._by_call.get(case.call_id) is not case:
                continue
            if case.due_s > now_s:
                self._await(case)
                continue
            del self._by_call[case.call_id]
            self._forget(case)
            yield case

    def _forget(self, case: Case) -> None:
        others = [one for one in self._by_number[case.number] if one is not case]
        if others:
            self._by_number[case.number] = others
        else:
            del self._by_number[case.number]
        for message in case.diameter:
            self._asked.pop((message.frame.stream, message.hop_by_hop, message.command_code), None)
            if self._by_end_to_end.get(message.end_to_end) is case:
                del self._by_end_to_end[message.end_to_end]

    def _is_to_ue(self, frame: Frame) -> bool:
        return self._facts.role(frame.destination) == "ue"
