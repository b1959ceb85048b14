"""The named check of a moment: what came between a mark in the capture and the next one.

A scenario names moments (``Mark``); each is a datagram in the capture (``lab.faults.marks``).  So a scenario that goes
through a table of faults is judged row by row, from the capture alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lab.evidence.checks.finding import Finding, frame_filter, judged, lacks
from lab.evidence.checks.sip import Transaction, transactions
from lab.evidence.checks.wires import COMMANDS, exchanges_on
from lab.evidence.messages import Capture, DiameterMessage
from lab.evidence.queries import diameter_on, is_from
from lab.evidence.story import Evidence

DISCARD_PORT: Final = 9
MOMENT: Final = b"mclab moment: "
NEVER: Final = float("inf")
UNAUTHORISED: Final = 401
Part = tuple[tuple[int, ...], tuple[str, ...]]


def at_moment(
    evidence: Evidence,
    *,
    moment: str,
    ue: str = "",
    sip: Mapping[str, Any] | None = None,
    diameter: Mapping[str, Any] | None = None,
    no_answer: Mapping[str, Any] | None = None,
    http: Mapping[str, Any] | None = None,
    broken_by: str = "",
    broken_within_s: float = NEVER,
) -> Finding:
    """From the moment to the next one: how requests ended, within which time; several parts must all hold.

    ``sip``: ``system``, ``status``, ``within_s``, and ``method`` where it is not REGISTER: the UE's last such request,
    and in the same time the one before it whose challenge it answers; ``by_s``: so long after the moment it ended,
    however often the UE came again.  ``diameter``: ``leg``, ``command``, ``code``, ``within_s``: some answer;
    ``no_answer``: ``leg``, ``command``: there is none.  ``http``: ``wire``, ``status``, ``within_s``, ``step``: the
    UE's last request there.  ``broken_by``: this host refused or ended a TCP connection, ``broken_within_s`` of the
    moment where given.
    """
    span = _span(evidence.capture, moment)
    if span is None:
        return judged((), f"udp.port == {DISCARD_PORT}", [f"no moment {moment} in the capture"])
    number, began_s, ended_s = span
    parts: list[Part] = []
    if sip is not None:
        parts.append(_sip(evidence, ue, began_s, ended_s, **sip))
    if diameter is not None:
        parts.append(_diameter(evidence, began_s, ended_s, **diameter))
    if no_answer is not None:
        parts.append(_no_answer(evidence, began_s, ended_s, **no_answer))
    if http is not None:
        parts.append(_http(evidence, ue, began_s, ended_s, **http))
    if broken_by:
        parts.append(_broken(evidence, broken_by, began_s, ended_s, broken_within_s))
    if not parts:
        raise ValueError("nothing is asked of this moment")
    frames = (number, *(one for found, _ in parts for one in found))
    return judged(frames, frame_filter(frames), [fault for _, faults in parts for fault in faults])


def _span(capture: Capture, moment: str) -> tuple[int, float, float] | None:
    """Return the frame of a mark, its time, and that of the next mark of another name."""
    marks = [
        (payload.frame, payload.octets.removeprefix(MOMENT).decode(errors="replace"))
        for payload in capture.payloads
        if payload.frame.destination_port == DISCARD_PORT and payload.octets.startswith(MOMENT)
    ]
    there = next((frame for frame, name in marks if name == moment), None)
    if there is None:
        return None
    later = (frame.time_s for frame, name in marks if frame.time_s > there.time_s and name != moment)
    return there.number, there.time_s, next(later, NEVER)


def _sip(
    evidence: Evidence,
    ue: str,
    began_s: float,
    ended_s: float,
    *,
    system: str,
    status: int | Sequence[int],
    within_s: float,
    by_s: float = NEVER,
    method: str = "REGISTER",
) -> Part:
    found = [
        (request, reply)
        for request, reply in transactions(evidence, ue, system, method)
        if began_s <= reply.frame.time_s < ended_s
    ]
    if not found:
        return (), (f"{ue} got no final response to {method} in {system}",)
    attempt, reply = _attempt(found), found[-1][1]
    wanted = (status,) if isinstance(status, int) else tuple(status)
    elapsed_s = max(got.frame.time_s - asked.frame.time_s for asked, got in attempt)

    def faults() -> Iterator[str]:
        yield from lacks(reply.status in wanted, f"status {reply.status} {reply.reason}, wanted {wanted}")
        yield from lacks(elapsed_s <= within_s, f"it came after {elapsed_s:.2f} s, wanted {within_s} s")
        after_s = reply.frame.time_s - began_s
        yield from lacks(after_s <= by_s, f"it came {after_s:.2f} s after the moment, wanted {by_s} s")

    return tuple(one.frame.number for pair in attempt for one in pair), tuple(faults())


def _attempt(found: Sequence[Transaction]) -> Sequence[Transaction]:
    """Return the last request, and before it the one whose challenge it answers (RFC 3261 §22.2)."""
    *earlier, last = found
    was_challenged = earlier and earlier[-1][1].status == UNAUTHORISED and earlier[-1][0].call_id == last[0].call_id
    return (earlier[-1], last) if was_challenged else (last,)


def _diameter(
    evidence: Evidence, began_s: float, ended_s: float, *, leg: str, command: str, code: int, within_s: float
) -> Part:
    answers = _answers(evidence, began_s, ended_s, leg, command)
    found = [m for m in answers if m.result_code == code]

    def faults() -> Iterator[str]:
        seen = sorted({m.result_code or 0 for m in answers})
        yield from lacks(found, f"no answer {code} to {command} on {leg}; seen: {seen}")
        for answer in found:
            request = evidence.index.request_of(answer)
            elapsed_s = answer.frame.time_s - request.frame.time_s if request else NEVER
            late = f"{code} to {command} on {leg} came after {elapsed_s:.2f} s, wanted {within_s} s"
            yield from lacks(elapsed_s <= within_s, late)

    return tuple(m.frame.number for m in found), tuple(faults())


def _no_answer(evidence: Evidence, began_s: float, ended_s: float, *, leg: str, command: str) -> Part:
    found = _answers(evidence, began_s, ended_s, leg, command)
    codes = sorted({m.result_code or 0 for m in found})
    return tuple(m.frame.number for m in found), tuple(lacks(not found, f"{command} on {leg} was answered: {codes}"))


def _answers(evidence: Evidence, began_s: float, ended_s: float, leg: str, command: str) -> list[DiameterMessage]:
    return [
        m
        for m in diameter_on(evidence, leg, COMMANDS[command])
        if not m.is_request and began_s <= m.frame.time_s < ended_s
    ]


def _http(
    evidence: Evidence,
    ue: str,
    began_s: float,
    ended_s: float,
    *,
    wire: str,
    status: int,
    within_s: float = NEVER,
    step: str = "",
) -> Part:
    found = [
        one
        for one in exchanges_on(evidence, wire)
        if is_from(evidence, ue, one) and began_s <= one.request.frame.time_s < ended_s
    ]
    if not found:
        return (), (f"{ue} asked nothing on {wire}",)
    last = found[-1]

    def faults() -> Iterator[str]:
        yield from lacks(last.status == status, f"status {last.status}, wanted {status}")
        elapsed_s = last.response.frame.time_s - last.request.frame.time_s if last.response else NEVER
        yield from lacks(elapsed_s <= within_s, f"it came after {elapsed_s:.2f} s, wanted {within_s} s")
        if step:
            given = last.answer().get("step")
            yield from lacks(given == step, f"refused in step {given}, wanted {step}")

    return last.frames, tuple(faults())


def _broken(evidence: Evidence, host: str, began_s: float, ended_s: float, within_s: float) -> Part:
    wanted = f"{host}.lab"
    found = [
        frame
        for frame in evidence.capture.broken
        if began_s <= frame.time_s < ended_s and evidence.facts.hosts.get(frame.source) == wanted
    ]
    if not found:
        return (), (f"{host} refused and ended no connection",)
    elapsed_s = found[0].time_s - began_s
    late = f"{host} refused or ended one only after {elapsed_s:.2f} s, wanted {within_s} s"
    return tuple(frame.number for frame in found[:3]), tuple(lacks(elapsed_s <= within_s, late))
