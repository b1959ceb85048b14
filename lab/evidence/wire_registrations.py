"""Registrations at the UEs' edge of a capture, counted and timed: what a storm was, as the wire has it.

tshark writes one line a frame and each is forgotten once it is counted: memory is bounded by
the number of UEs, whatever the size of the capture.
Which identities went where is not looked at here (``checks.secrecy``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from lab.evidence.dissect import stream_tshark
from lab.evidence.facts import RunFacts, load_facts
from lab.load.tally import Spread, spread

FIELDS: Final = (
    "frame.time_epoch", "ip.src", "ip.dst", "sip.Call-ID", "sip.CSeq.seq", "sip.Method", "sip.Status-Code",
)  # fmt: skip


class EdgeMessage(NamedTuple):
    """A REGISTER, or a response to one, between a UE and a P-CSCF."""

    time_s: float
    source: str
    destination: str
    call_id: str
    cseq: int
    is_request: bool
    status: int


class WireRegistrations(BaseModel):
    """What the capture shows at one P-CSCF."""

    model_config = ConfigDict(frozen=True)

    ok: int
    sent_again: int
    statuses: dict[str, int]
    whole_ms: Spread | None = None


class _Edge:
    """One P-CSCF while it is read."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.sent_again = 0
        self.taken_ms: list[float] = []
        self._began: dict[str, float] = {}
        self._last_cseq: dict[str, int] = {}

    def take(self, message: EdgeMessage) -> None:
        """Count one message."""
        if message.is_request:
            self.sent_again += self._last_cseq.get(message.call_id) == message.cseq
            self._last_cseq[message.call_id] = message.cseq
            self._began.setdefault(message.call_id, message.time_s)
            return
        if message.status < 200:
            return
        self.statuses[str(message.status)] += 1
        if message.status == 401:
            return
        began = self._began.pop(message.call_id, None)
        if message.status == 200 and began is not None:
            self.taken_ms.append(1000 * (message.time_s - began))

    def result(self) -> WireRegistrations:
        """Return what was counted."""
        whole = spread(self.taken_ms) if self.taken_ms else None
        return WireRegistrations(
            ok=len(self.taken_ms), sent_again=self.sent_again, statuses=dict(self.statuses), whole_ms=whole
        )


def read_registrations(capture: Path, run_directory: Path) -> dict[str, WireRegistrations]:
    """Return the registrations of a capture by system.

    Raises:
        DissectionFailed: tshark cannot read it.
        FactsMissing: the run directory has no ``run.json``.
    """
    facts = load_facts(run_directory)
    edges = [address for address in facts.hosts if facts.role(address) == "pcscf"]
    ues = [address for ue in facts.ues for address in ue.addresses]
    display = f"sip.CSeq.method == REGISTER && ip.addr in {{{', '.join(ues)}}} && ip.addr in {{{', '.join(edges)}}}"
    arguments = [argument for name in FIELDS for argument in ("-e", name)]
    lines = stream_tshark(capture, "-Y", display, "-T", "fields", "-E", "occurrence=f", *arguments)
    return count(read_lines(lines), facts)


def read_lines(lines: Iterable[str]) -> Iterator[EdgeMessage]:
    """Yield the messages in tshark's lines of ``FIELDS``; a line that lacks one is passed over."""
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != len(FIELDS) or not (fields[3] and fields[4] and (fields[5] or fields[6])):
            continue
        time_s, source, destination, call_id, cseq, method, status = fields
        yield EdgeMessage(float(time_s), source, destination, call_id, int(cseq), bool(method), int(status or 0))


def count(messages: Iterable[EdgeMessage], facts: RunFacts) -> dict[str, WireRegistrations]:
    """Return what the messages come to, by the P-CSCF's system."""
    edges: dict[str, _Edge] = {}
    for message in messages:
        server = message.destination if message.is_request else message.source
        edges.setdefault(facts.system_of(server), _Edge()).take(message)
    return {system: edge.result() for system, edge in edges.items()}
