"""Answers on their way back (RFC 6733 §6.2.2): Hop-by-Hop restored, an MAA of a migrated user checked and restored.

What belongs to no pending request is discarded.  A failing Result-Code is never altered.
"""

from collections.abc import Callable
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import ERROR, walk_avps
from diameter_proxy.forwarding import FAULT, Forwarder, is_reply_to
from diameter_proxy.hot_path import (
    DESTINATION_HOST,
    DESTINATION_REALM,
    EXPERIMENTAL_RESULT,
    ORIGIN_HOST,
    PROXY_INFO,
    RESULT_CODE,
    SERVER_ASSIGNMENT_TYPE,
    SERVER_NAME,
    Counters,
    ExpressLane,
    Pending,
    Unreadable,
    avp_at,
    locate,
    splice,
    starts_of,
    value_at,
)
from diameter_proxy.identity_map import IdentityMap
from diameter_proxy.migration import Migration, Returning
from diameter_proxy.redirects import REDIRECTS_MAX, hosts_named_by
from diameter_proxy.routing import RTR, UAR, Refusal
from diameter_proxy.server_names import ServerNames
from diameter_proxy.topology_hiding import proxy_infos

_RESULT: Final = d.EXPERIMENTAL_RESULT_CODE.code
_NOWHERE: Final = Refusal("redirected to no peer of ours", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-5")
DEREGISTRATIONS: Final = frozenset({4, 5, 8, 9, 10, 11})
"""Server-Assignment-Types after which no S-CSCF is stored (TS 29.229 §6.3.15)."""


class AnswerPath:
    """Takes answers of upstream peers back to who asked."""

    def __init__(
        self,
        forwarder: Forwarder,
        migration: Migration,
        identities: IdentityMap,
        server_names: ServerNames,
        lane: ExpressLane,
        counters: Counters,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        starts_again: Callable[[Pending, bytes], bool] | None = None,
        used: Callable[[str], None] = lambda binding: None,
        fellows: Callable[[str, tuple[str, ...]], tuple[str, ...]] = lambda peer, hosts: (),
    ) -> None:
        """Take what a MAA may be for besides an answer: a reason to ask the HSS anew (``priming``), a first use.

        ``fellows`` returns which of some hosts are peers of ours that may stand for a peer.
        """
        self._forwarder: Final = forwarder
        self._migration: Final = migration
        self._identities: Final = identities
        self._server_names: Final = server_names
        self._lane: Final = lane
        self._counters: Final = counters
        self._clock: Final = clock
        self._wall_clock: Final = wall_clock
        self._starts_again: Final = starts_again
        self._used: Final = used
        self._fellows: Final = fellows

    def receive(self, peer: str, data: bytes) -> None:
        """Handle an answer of an open peer; what waits for nothing is discarded (RFC 6733 §3, Hop-by-Hop)."""
        pending = self._forwarder.pending.find(peer, int.from_bytes(data[12:16], "big"))
        if pending is None or not is_reply_to(data, pending):
            self._counters.answers_discarded += 1
            return
        self._counters.answer(peer, pending.command, data)
        if self._forwarder.tracer.is_active:
            waited_s = round(self._clock() - pending.started_s, 4)
            self._forwarder.tracer.message("answer", data[16:20], of=peer, result=_result(data), waited_s=waited_s)
        try:
            self._answer(peer, pending, data)
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            self._forwarder.fault(pending.source, pending.asked, "answer")
            if not pending.is_done:
                self._forwarder.refuse_pending(pending, FAULT)

    def _answer(self, peer: str, pending: Pending, data: bytes) -> None:
        if data[4] & ERROR and self._goes_elsewhere(peer, pending, data):
            return
        if pending.own is not None:
            self._forwarder.settle(pending, None)
            self._learn(pending, data)
            pending.own(data)
            return
        if pending.lent is not None:
            if self._starts_again is None or not self._starts_again(pending, data):
                self._answer_migrated(peer, pending, data)
            return
        self._forwarder.settle(pending, None)
        asked = pending.asked
        octets = data[:12] + asked[12:16] + data[16:]
        if pending.learns:
            self._learn(pending, data)
        elif pending.command == RTR:
            octets = _without_destination(octets)
        self._forwarder.reply(pending.source, octets)
        self._counters.answered(self._clock() - pending.started_s)

    def _answer_migrated(self, peer: str, pending: Pending, data: bytes) -> None:
        try:
            made: Refusal | Returning = self._migration.answer(pending, data, self._identities, self._wall_clock())
        except Unreadable as exc:
            made = Refusal(f"answer: {exc}", result_code=ResultCode.UNABLE_TO_COMPLY, step="10.6.2-9")
        if isinstance(made, Refusal):
            self._counters.answers_refused += 1
            described = self._forwarder.described(pending, made.reason)
            self._forwarder.limited_log.error("answer.refused", **described, step=made.step)
            self._forwarder.refuse_pending(pending, made)
            return
        self._forwarder.settle(pending, made.octets if made.is_success else None)
        self._forwarder.reply(pending.source, made.octets)
        for asking, request in pending.joined:
            self._forwarder.reply(asking, as_answer_to(made.octets, request, locate(request)))
        if made.is_success:
            self._lane.learn_answer(peer, pending, data, made.octets)
            if pending.lent is not None and pending.lent.is_primary:
                self._used(pending.lent.binding)
        self._counters.answered(self._clock() - pending.started_s)

    def _goes_elsewhere(self, peer: str, pending: Pending, data: bytes) -> bool:
        """Say whether another peer has got the request instead: this one was too busy, or has named others."""
        try:
            start = locate(data)[RESULT_CODE]
        except Unreadable:
            return False
        code = int.from_bytes(value_at(data, start), "big") if start else 0
        if code == ResultCode.TOO_BUSY:
            return len(pending.tried) == 1 and self._forwarder.forward(pending, retransmitted=False)
        return code == ResultCode.REDIRECT_INDICATION and self._is_redirected(peer, pending, data)

    def _is_redirected(self, peer: str, pending: Pending, data: bytes) -> bool:
        """Send a request to a host that a redirect agent names, if it is a peer of ours of the same kind (§6.1.8).

        Else the indication is passed on, but for migrated users: it would name hosts of one system to another.
        """
        pending.candidates = self._fellows(peer, hosts_named_by(data))
        if len(pending.tried) <= REDIRECTS_MAX and self._forwarder.forward(pending, retransmitted=False):
            described = self._forwarder.described(pending, "redirect indication")
            self._forwarder.limited_log.warning("request.redirected", **described, by=peer)
            return True
        if pending.lent is None:
            return False
        self._forwarder.refuse_pending(pending, _NOWHERE)
        return True

    def _learn(self, pending: Pending, data: bytes) -> None:
        """Learn from a relayed SAA or UAA which S-CSCF the HSS has stored (TS 29.228 §6.1)."""
        try:
            found = locate(data)
        except Unreadable:
            return
        if pending.command == UAR:
            if found[SERVER_NAME]:
                self._server_names.learn(pending.learns, avp_at(data, found[SERVER_NAME]))
        elif _is_success(data) and pending.found[SERVER_NAME]:
            start = pending.found[SERVER_ASSIGNMENT_TYPE]
            if start and int.from_bytes(value_at(pending.asked, start), "big") in DEREGISTRATIONS:
                self._server_names.forget(pending.learns)
            else:
                asked, places = pending.asked, pending.found
                origin_host = value_at(asked, places[ORIGIN_HOST]).lower() if places[ORIGIN_HOST] else b""
                server_name = avp_at(asked, places[SERVER_NAME])
                self._server_names.learn(pending.learns, server_name, origin_host.decode("ascii", "replace"))


def _is_success(data: bytes) -> bool:
    start = locate(data)[RESULT_CODE]
    return bool(start) and 2000 <= int.from_bytes(value_at(data, start), "big") < 3000


def _result(data: bytes) -> str:
    code = experimental_code(data)
    if code is not None:
        return f"experimental {code}"
    try:
        start = locate(data)[RESULT_CODE]
    except Unreadable:
        return "unreadable"
    return str(int.from_bytes(value_at(data, start), "big")) if start else "none"


def experimental_code(data: bytes) -> int | None:
    """Return the Experimental-Result-Code of an answer, or None (RFC 6733 §7.6)."""
    try:
        start = locate(data)[EXPERIMENTAL_RESULT]
        value = value_at(data, start) if start else b""
        codes = [value[span.value : span.end] for span in walk_avps(value, 0, len(value)) if span.code == _RESULT]
    except (Unreadable, PermanentFailure):
        return None
    return int.from_bytes(codes[0], "big") if codes else None


def as_answer_to(answer: bytes, request: bytes, places: list[int]) -> bytes:
    """Return an answer for another request that is the same in all six fields: its Hop-by-Hop, its Proxy-Info."""
    edits = [(start, b"") for start in starts_of(locate(answer), PROXY_INFO)]
    hop_by_hop = int.from_bytes(request[12:16], "big")
    return splice(answer, answer[4], hop_by_hop, edits, proxy_infos(request, places))


def _without_destination(answer: bytes) -> bytes:
    """Return an RTA without Destination-*, which no answer has (Kamailio sends its Destination-Realm along)."""
    try:
        found = locate(answer)
    except Unreadable:
        return answer
    slots = (DESTINATION_REALM, DESTINATION_HOST)
    edits = [(start, b"") for slot in slots for start in starts_of(found, slot)]
    if not edits:
        return answer
    return splice(answer, answer[4], int.from_bytes(answer[12:16], "big"), edits)
