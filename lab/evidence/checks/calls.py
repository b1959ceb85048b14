"""Named checks over calls: a service that reaches a user through the S-CSCF, with RTP counted in the capture.

What is looked for is in frames: INVITE of the caller, LIR and LIA for the callee (TS 29.228 §6.1.4), INVITE of the
S-CSCF and of the P-CSCF to the callee, 200, ACK, RTP between the two addresses of the SDP, BYE and its 200.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lab.evidence.checks.finding import Finding, differs, judged, lacks
from lab.evidence.index import PUBLIC_IDENTITY
from lab.evidence.messages import DiameterMessage, Payload, SipMessage
from lab.evidence.queries import story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import uri_of

LIR: Final = 302
SERVER_NAME: Final = 602
DIAMETER_SUCCESS: Final = 2001
_FILTER: Final = 'sip.Method == "INVITE"'
_STEP_MAX: Final = 100
_CONNECTION = re.compile(r"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio ([0-9]+) ", re.MULTILINE)


class Call(NamedTuple):
    """An INVITE of one UE that reached another: as it was sent, as it came, and what ended it; ``None`` if not seen."""

    sent: SipMessage
    received: SipMessage
    final: SipMessage | None
    ack: SipMessage | None
    bye: SipMessage | None
    bye_answer: SipMessage | None


def called(evidence: Evidence, *, caller: str, callee: str, system: str, packets: int) -> Finding:
    """The callee answered a call that came by LIR and the system's S-CSCF; so many RTP packets flowed each way; BYE."""
    found = [call for call in calls(evidence, caller, callee, system) if call.final and call.final.status == 200]
    if not found:
        return judged((), _FILTER, [f"no call of {caller} to {callee} in {system} was answered"])
    call = found[0]
    lir, lia = _location(evidence, call, system)
    there, back = media(evidence, call)

    def faults() -> Iterator[str]:
        yield from lacks(call.ack, "no ACK reached the callee")
        yield from _route_faults(evidence, call, system, lir, lia)
        for who, flow in ((caller, there), (callee, back)):
            yield from lacks(len(flow) >= packets, f"{len(flow)} RTP packets of {who}, wanted {packets}")
            yield from lacks(_is_one_stream(flow), f"the RTP of {who} is not one source with rising numbers")
        yield from lacks(call.bye and call.bye_answer, "no BYE, or no answer to it")
        if call.bye_answer is not None:
            yield from differs("the answer to BYE", call.bye_answer.status, 200)

    frames = [
        call.sent.frame.number,
        *(one.frame.number for one in (lir, lia) if one is not None),
        *(one.frame.number for one in call[1:] if one is not None),
        *(flow[0].frame.number for flow in (there, back) if flow),
    ]
    return judged(sorted(frames), f'sip.Call-ID == "{call.sent.call_id}" || rtp', faults(), _detail(there, back))


def call_refused(evidence: Evidence, *, caller: str, callee: str, system: str, status: int) -> Finding:
    """An INVITE that reached the callee ended with this status, at the caller too; no RTP flowed for it."""
    found = [call for call in calls(evidence, caller, callee, system) if call.final and call.final.status == status]

    def faults() -> Iterator[str]:
        seen = [one.final.status for one in calls(evidence, caller, callee, system) if one.final]
        yield from lacks(found, f"no call of {caller} to {callee} ended with {status}; seen: {seen}")
        for one in found:
            answered = evidence.index.reply_to(one.received)
            yield from differs("what the callee answered", answered.status if answered else 0, status)
            yield from lacks(not any(media(evidence, one)), "RTP flowed all the same")

    frames = [one.frame.number for call in found for one in (call.sent, call.received, call.final) if one]
    return judged(frames, f"sip.Status-Code == {status}", faults())


def calls(evidence: Evidence, caller: str, callee: str, system: str) -> Iterator[Call]:
    """Yield the calls of one UE that reached another in a system, in order."""
    index, facts = evidence.index, evidence.facts
    to, seen = story_of(evidence, callee).ue.addresses, set()
    for sent in index.sent(story_of(evidence, caller).ue.addresses, "INVITE"):
        received = next((one for one in index.copies_of(sent) if one.is_request and one.frame.destination in to), None)
        is_there = facts.system_of(sent.frame.destination) == system
        if received is None or not is_there or (sent.call_id, sent.cseq) in seen:
            continue
        seen.add((sent.call_id, sent.cseq))
        dialog = index.call(sent.call_id)
        ack = next((one for one in dialog if one.method == "ACK" and one.frame.destination in to), None)
        bye = next((one for one in dialog if one.method == "BYE"), None)
        yield Call(sent, received, index.reply_to(sent), ack, bye, index.reply_to(bye))


def media(evidence: Evidence, call: Call) -> tuple[list[Payload], list[Payload]]:
    """Return the RTP of the caller and of the callee, between the addresses and ports of offer and answer."""
    answer = evidence.index.reply_to(call.received)
    ends = (audio_of(call.sent), audio_of(answer) if answer else None)
    if None in ends:
        return [], []
    there: list[Payload] = []
    back: list[Payload] = []
    for payload in evidence.capture.payloads:
        frame = payload.frame
        if payload.rtp is None or frame.number < call.sent.frame.number:
            continue
        way = ((frame.source, frame.source_port), (frame.destination, frame.destination_port))
        if way == ends:
            there.append(payload)
        elif way == ends[::-1]:
            back.append(payload)
    return there, back


def audio_of(message: SipMessage) -> tuple[str, int] | None:
    """Return where a message's SDP wants its audio; None where it has none (RFC 4566 §5.7, §5.14)."""
    address, audio = _CONNECTION.search(message.text), _AUDIO.search(message.text)
    return (address[1], int(audio[1])) if address and audio else None


def _location(evidence: Evidence, call: Call, system: str) -> tuple[DiameterMessage | None, DiameterMessage | None]:
    """Return LIR and LIA of the system's I-CSCF for the callee, between the caller's INVITE and the callee's."""
    first, last = call.sent.frame.number, call.received.frame.number
    for lir in evidence.index.requests_for(LIR, [uri_of(call.sent.header("to"))], first, last):
        is_ours = evidence.facts.system_of(lir.frame.source) == system
        if is_ours and evidence.facts.role(lir.frame.source) == "icscf" and evidence.index.leg(lir) == "aaa-2":
            return lir, evidence.index.answer_to(lir)
    return None, None


def _route_faults(
    evidence: Evidence, call: Call, system: str, lir: DiameterMessage | None, lia: DiameterMessage | None
) -> Iterator[str]:
    facts = evidence.facts
    through = [
        one
        for one in evidence.index.copies_of(call.sent)
        if facts.role(one.frame.source) == "scscf" and facts.system_of(one.frame.source) == system
    ]
    yield from lacks(through, f"the call did not pass the S-CSCF of {system}")
    yield from lacks(lir is not None, "no LIR of the I-CSCF for the callee on AAA-2")
    if lir is not None:
        yield from differs("Public-Identity of the LIR", lir.value(PUBLIC_IDENTITY), uri_of(call.sent.header("to")))
        yield from lacks(lia is not None, "no LIA")
    if lia is not None:
        yield from differs("result of the LIA", lia.result_code, DIAMETER_SUCCESS)
        name = lia.value(SERVER_NAME)
        yield from lacks(name in facts.system(system).scscf, f"the LIA names {name}, no S-CSCF of {system}")


def _is_one_stream(flow: list[Payload]) -> bool:
    """Tell RTP of one source whose sequence numbers rise by little each time (RFC 3550 §5.1)."""
    packets = [one.rtp for one in flow if one.rtp is not None]
    steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)]
    return len({one.ssrc for one in packets}) == 1 and all(0 < step < _STEP_MAX for step in steps)


def _detail(there: list[Payload], back: list[Payload]) -> str:
    return f"RTP: {len(there)} packets of the caller, {len(back)} of the callee"
