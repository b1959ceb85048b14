"""Requests on their way out and back in: alternates, deadlines, duplicates, and answers of our own (RFC 6733 §5.5.4).

What is decided elsewhere is carried out here, once for all legs: send to the next peer that has not got it, with T when
it is sent again; 3002 when nobody answers in time; one event for each refusal.
"""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from diameter_proxy.answers import Answers
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import REQUEST, RETRANSMITTED
from diameter_proxy.hot_path import GONE, Batch, Counters, DeadlineQueue, Duplicates, Pending, PendingRequests
from diameter_proxy.node.errors import NodeError, PeerCongested
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.routing import NAMES, Refusal
from diameter_proxy.settings import Settings
from diameter_proxy.trace import Tracer

TOO_MANY: Final = Refusal("too many requests wait", result_code=ResultCode.TOO_BUSY, step="10.6.2-5")
FAULT: Final = Refusal("fault of ours", result_code=ResultCode.UNABLE_TO_COMPLY, step="10.6.2-5")
CONGESTED: Final = Refusal("destination congested", result_code=ResultCode.TOO_BUSY, step="10.6.2-5")
UNDELIVERED: Final = Refusal("no peer answered", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-5")


_IN_TIME: Final = 0.8
"""Share of ``attempt_s`` in which peers should answer: what takes longer is soon sent again, and is twice the load."""


class Wire(Protocol):
    """What the proxy needs of a Diameter node."""

    def send(self, peer: str, octets: bytes) -> None: ...
    def next_hop_by_hop(self, peer: str) -> int: ...
    def next_end_to_end(self) -> int: ...
    def is_open(self, peer: str) -> bool: ...
    def is_ready(self, peer: str) -> bool: ...
    def reserve_hop_by_hop(self, peer: str, count: int) -> int | None: ...
    def send_all(self, peer: str, octets: bytes, count: int) -> None: ...
    def pause_source(self, source: str, destination: str) -> None: ...


class Forwarder:
    """Everything that is under way."""

    def __init__(self, settings: Settings, wire: Wire, counters: Counters, clock: Callable[[], float]) -> None:
        self.pending: Final = PendingRequests(settings.pending_max)
        self.duplicates: Final = Duplicates(self.pending, settings.duplicates_max, settings.duplicates_s)
        self._attempt_s = settings.attempt_s
        self._wire: Final = wire
        self.hide: Callable[[str, bytes], bytes] | None = None
        """What ``hidden_names`` makes of a message before it leaves to a peer."""
        self.counters: Final = counters
        self._clock: Final = clock
        self._answers: Final = Answers(settings.origin_host, settings.origin_realm)
        self.deadlines: Final[DeadlineQueue[Pending | Batch]] = DeadlineQueue()
        self._log: Final = structlog.get_logger()
        self.tracer: Final = Tracer(clock)
        self.limited_log: Final = LimitedLog(clock, settings.log_lines_per_s)

    def reconfigure(self, settings: Settings) -> None:
        """Hold other limits from now on."""
        self._attempt_s = settings.attempt_s
        self.pending.pending_max = settings.pending_max
        self.duplicates.limit(settings.duplicates_max, settings.duplicates_s)
        self.limited_log.lines_per_s = settings.log_lines_per_s

    def peer_lost(self, peer: str, *, is_closed: bool) -> None:
        """Send what waits for this peer to its alternate, with T (RFC 6733 §5.5.4, RFC 3539 §3.4.1 Failover)."""
        waiting = self.pending.of_peer(peer)
        if is_closed:
            self.pending.lost(peer)
        for pending in waiting:
            if any(other != peer and self._wire.is_open(other) for other, _ in pending.tried):
                continue
            if not self.forward(pending, retransmitted=True) and is_closed:
                self.give_up(pending)

    def sweep(self, now_s: float) -> None:
        """Look at what is due: an attempt without answer goes to the alternate, a deadline ends in 3002."""
        for due in self.deadlines.sweep(now_s):
            for pending in self.pending.left_of(due) if isinstance(due, Batch) else (due,):
                if not pending.is_done:
                    self._is_due(pending, now_s)
        self.pending.pace(now_s, _IN_TIME * self._attempt_s)
        self.duplicates.forget_old(now_s)
        self.limited_log.sweep(now_s)

    def _is_due(self, pending: Pending, now_s: float) -> None:
        if now_s < pending.deadline_s:
            self.forward(pending, retransmitted=True)
            return
        self.counters.expired += 1
        described = self.described(pending)
        self.limited_log.warning("request.expired", **described, waited_s=now_s - pending.started_s)
        self.give_up(pending)

    def start(self, pending: Pending) -> None:
        if self.pending.is_full:
            self.refuse_pending(pending, TOO_MANY)
            return
        if not self.forward(pending, retransmitted=False):
            self.give_up(pending)
            return
        attempt_s = self._clock() + self._attempt_s
        if len(pending.candidates) > 1 and attempt_s < pending.deadline_s:
            self.deadlines.add(attempt_s, pending)
        self.deadlines.add(pending.deadline_s, pending)

    def forward(self, pending: Pending, *, retransmitted: bool) -> bool:
        """Send the request to the next peer that has not got it; say whether there was one."""
        tried = {peer for peer, _ in pending.tried}
        sent = pending.sent
        flags = sent[4] | RETRANSMITTED if retransmitted else sent[4]
        for peer in pending.candidates:
            if peer in tried or not self._wire.is_open(peer):
                continue
            if not self.pending.has_room(peer):
                pending.was_busy = True
                continue
            try:
                hop_by_hop = self._wire.next_hop_by_hop(peer)
                octets = sent[:4] + bytes((flags,)) + sent[5:12] + hop_by_hop.to_bytes(4, "big") + sent[16:]
                self._wire.send(peer, octets if self.hide is None else self.hide(peer, octets))
            except PeerCongested:
                pending.was_busy = True
                self._wire.pause_source(pending.source, peer)
                continue
            except NodeError:
                continue
            self.pending.sent(pending, peer, hop_by_hop)
            if self.tracer.is_active:
                self.tracer.message("sent", sent[16:20], to=peer, retransmitted=retransmitted)
            if retransmitted:
                self.counters.resent += 1
                self.limited_log.warning("request.resent", **self.described(pending), to=peer)
            return True
        return False

    def not_taken(self, pending: Pending) -> None:
        """Send what the connection of its peer did not take to the next one, or answer it at once."""
        if not self.forward(pending, retransmitted=False):
            self.give_up(pending)

    def reply(self, peer: str, octets: bytes) -> None:
        if peer == GONE:
            self.counters.answers_undeliverable += 1
            return
        try:
            self._wire.send(peer, octets if self.hide is None else self.hide(peer, octets))
        except NodeError as exc:
            self.counters.answers_undeliverable += 1
            self.limited_log.warning("answer.undeliverable", peer=peer, reason=f"{type(exc).__name__}: {exc}")

    def give_up(self, pending: Pending) -> None:
        """Answer a request that nobody has answered."""
        if pending.answer_when_late == ResultCode.SUCCESS:
            self.settle(pending, None)
            self.reply(pending.source, self._answers.succeed(pending.asked))
            return
        self.refuse_pending(pending, CONGESTED if pending.was_busy and not pending.tried else UNDELIVERED)

    def refuse_pending(self, pending: Pending, refusal: Refusal) -> None:
        self.settle(pending, None)
        if pending.own is not None:
            pending.own(None)
            return
        for peer, request in ((pending.source, pending.asked), *pending.joined):
            self.refuse(peer, request, refusal)

    def settle(self, pending: Pending, remembered: bytes | None) -> None:
        self.pending.settle(pending)
        if pending.is_unique:
            self.duplicates.settle(pending, remembered, self._clock())

    def refuse(self, peer: str, data: bytes, refusal: Refusal) -> None:
        """Answer a request in our name, with the code of a refusal, if anybody is there to hear it."""
        if peer == GONE:
            self.counters.answers_undeliverable += 1
            return
        if self.tracer.is_active:
            code = refusal.result_code if refusal.result_code is not None else f"experimental {refusal.experimental}"
            self.tracer.message("refused", data[16:20], to=peer, code=code, reason=refusal.reason)
        self.note_refusal(peer, data, refusal)
        self.reply(peer, self._answers.refuse(data, refusal))

    def refusal_of(self, data: bytes) -> bytes:
        """Return the answer that refuses a request because its destination is busy; nothing is counted or sent."""
        return self._answers.refuse(data, CONGESTED)

    def refused_busy(self, peer: str, data: bytes) -> None:
        """Take note that the express lane has refused a request because its destination is busy."""
        self.note_refusal(peer, data, CONGESTED)

    def note_refusal(self, peer: str, data: bytes, refusal: Refusal) -> None:
        """Count and log a refusal."""
        self.counters.refusal(refusal.result_code, refusal.experimental)
        self.limited_log.warning(
            "request.refused",
            peer=peer,
            command=_command_name(data),
            result_code=refusal.result_code,
            experimental=refusal.experimental,
            reason=refusal.reason,
            step=refusal.step,
            end_to_end=data[16:20].hex(),
        )

    def fault(self, peer: str, data: bytes, what: str) -> None:
        """The boundary of one message: whatever went wrong in us ends here (ARCHITECTURE.md)."""
        self.counters.faults += 1
        self._log.exception(f"{what}.failed", peer=peer, command=_command_name(data), end_to_end=data[16:20].hex())

    def described(self, pending: Pending, reason: str = "no answer in time") -> dict[str, str]:
        """Return what an event says of a request under way."""
        described = {
            "peer": pending.source,
            "reason": reason,
            "command": _command_name(pending.asked),
            "route": pending.route.name.lower(),
            "end_to_end": pending.asked[16:20].hex(),
        }
        if pending.tried:
            described["last"] = pending.tried[-1][0]
        if pending.lent is not None:
            described["binding"] = pending.lent.binding
        return described

    def succeed(self, peer: str, data: bytes) -> None:
        """Answer a request with DIAMETER_SUCCESS in our name."""
        self.reply(peer, self._answers.succeed(data))


def is_reply_to(data: bytes, pending: Pending) -> bool:
    """Say whether an answer has the End-to-End and the command of what was asked."""
    return data[16:20] == pending.asked[16:20] and data[5:8] == pending.asked[5:8]


def _command_name(data: bytes) -> str:
    code = int.from_bytes(data[5:8], "big")
    name = NAMES.get(code, str(code))
    return name if data[4] & REQUEST else f"answer to {name}"
