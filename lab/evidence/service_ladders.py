"""Ladders of what a user has of being registered: service authorisation, MESSAGE and calls (after step 14 of 10.6.2).

Pure: from the evidence to rows between lanes.  What a row is worth is said by the steps and checks that name its frame;
a frame that none names is drawn and not judged.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from lab.evidence.checks.calls import LIR, audio_of
from lab.evidence.checks.service_authorisation import ThirdParty, third_party, tokens_in
from lab.evidence.decoded import Fields, Message, decoded_fields
from lab.evidence.messages import DiameterMessage, Payload, SipMessage
from lab.evidence.report import CheckReport, Ladder, LadderRow, StepReport, Verdict, combined
from lab.evidence.story import Evidence
from lab.evidence.texts import uri_of

LADDERS_MAX: Final = 8
"""Of one kind at the most."""

Judged: TypeAlias = Iterable[StepReport | CheckReport]
Lane = Literal["caller", "core", "mms", "callee", "ue", "mcs", "idms"]

# fmt: off
_ROLES: Final[Mapping[str, Lane]] = {
    "pcscf": "core", "icscf": "core", "scscf": "core", "edge": "core", "dra": "core",
    "proxy": "mms", "mms": "mms", "mcs": "mcs", "idms": "idms",
}
_NAMES: Final[Mapping[Lane, str]] = {
    "core": "SIP core / IMS ({side})",
    "mms":  "migration management server ({side})",
    "mcs":  "MC service server ({side})",
    "idms": "identity management server ({side})",
}
# fmt: on


class _Arrow(NamedTuple):
    title: str
    wire: str
    message: Message | Payload
    said: Fields = ()


class _Drawing(NamedTuple):
    """One ladder to be: what is drawn, for whom, its lanes and its arrows."""

    procedure: str
    title: str
    ue: str
    lanes: Mapping[Lane, str]
    ends: Mapping[str, Lane]
    arrows: tuple[_Arrow, ...]


def draw_services(evidence: Evidence, judged: Judged) -> tuple[Ladder, ...]:
    """Return the ladders of services: authorisations, then MESSAGEs, then calls, in the order of frames."""
    verdicts = _verdicts(judged)
    kinds = (_authorisations(evidence), _requests(evidence, "MESSAGE"), _requests(evidence, "INVITE"))
    return tuple(_ladder(evidence, one, verdicts) for kind in kinds for one in islice(kind, LADDERS_MAX))


def _authorisations(evidence: Evidence) -> Iterator[_Drawing]:
    """Yield the service authorisations: UE's REGISTER, third-party REGISTER, the IdMS's keys, the server's answer."""
    facts = evidence.facts
    served = sorted({facts.system_of(address) for address in facts.hosts if facts.role(address) == "mcs"})
    for system in served:
        for ue in facts.ues:
            for one in third_party(evidence, ue.name, system):
                yield _Drawing(
                    "service authorisation",
                    f"by third-party REGISTER (TS 24.379 §7.3.2) in {system}",
                    ue.name,
                    _lanes(evidence, system, [ue.name], ("core", "mcs", "idms"), {"ue": ue.name}),
                    dict.fromkeys(ue.addresses, "ue"),
                    tuple(_authorisation(evidence, one, ue.addresses)),
                )


def _authorisation(evidence: Evidence, one: ThirdParty, addresses: Iterable[str]) -> Iterator[_Arrow]:
    request, reply = one.request, one.reply
    register = _registered_by(evidence, request, addresses)
    if register is not None:
        token = "with" if tokens_in(evidence, register) else "without"
        yield _Arrow(f"REGISTER {token} an access token", "SIP", register)
        answer = evidence.index.reply_to(register)
        if answer is not None:
            yield _Arrow(_status(answer), "SIP", answer)
    yield _Arrow("third-party REGISTER", "ISC", request, tuple(_claims(one)))
    if reply is None:
        return
    server = request.frame.destination
    for exchange in evidence.exchanges:
        frame = exchange.request.frame
        is_asked = frame.source == server and evidence.facts.role(frame.destination) == "idms"
        if is_asked and request.frame.number < frame.number < reply.frame.number:
            what = "metadata" if "/.well-known/" in exchange.request.path else "signing keys"
            yield _Arrow(f"{what} asked for", "HTTPS", exchange.request)
            if exchange.response is not None:
                yield _Arrow(f"{what}: {exchange.status}", "HTTPS", exchange.response)
    yield _Arrow(_status(reply), "ISC", reply)


def _claims(one: ThirdParty) -> Iterator[tuple[str, str]]:
    """Yield what the access token says, never the token (RFC 9068 §2.2, TS 33.180 B.2)."""
    for name, title in (("iss", "issuer"), ("aud", "audience"), ("mcptt_id", "MC service ID")):
        if name in one.claims:
            value = one.claims[name]
            yield f"token: {title}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    expires = one.claims.get("exp")
    if isinstance(expires, int | float):
        yield "token: expires", f"{expires - one.request.frame.time_s:+.0f} s"


def _registered_by(evidence: Evidence, third: SipMessage, addresses: Iterable[str]) -> SipMessage | None:
    """Return the UE's last REGISTER of that identity before a third-party REGISTER."""
    found = [
        one
        for one in evidence.index.sent(addresses, "REGISTER")
        if one.frame.number < third.frame.number and uri_of(one.header("to")) == uri_of(third.header("to"))
    ]
    return found[-1] if found else None


def _requests(evidence: Evidence, method: Literal["MESSAGE", "INVITE"]) -> Iterator[_Drawing]:
    """Yield the requests of one UE that reached another: once each, in the order of frames."""
    names = {address: ue.name for ue in evidence.facts.ues for address in ue.addresses}
    seen = set()
    for sent in evidence.capture.sip:
        key = (sent.call_id, sent.cseq)
        if sent.method != method or sent.frame.source not in names or key in seen:
            continue
        seen.add(key)
        copies = (one for one in evidence.index.copies_of(sent) if one.is_request)
        received = next((one for one in copies if one.frame.destination in names), None)
        system = evidence.facts.system_of(sent.frame.destination)
        if received is None or not system:
            continue
        caller, callee = names[sent.frame.source], names[received.frame.destination]
        ends: dict[str, Lane] = {address: "callee" for address, name in names.items() if name == callee}
        ends |= {address: "caller" for address, name in names.items() if name == caller}
        yield _Drawing(
            "MESSAGE" if method == "MESSAGE" else "call",
            f"from {caller} through the S-CSCF of {system}",
            callee,
            _lanes(evidence, system, [caller, callee], ("core", "mms"), {"caller": caller, "callee": callee}),
            ends,
            tuple(_request(evidence, sent, received)),
        )


def _request(evidence: Evidence, sent: SipMessage, received: SipMessage) -> Iterator[_Arrow]:
    """Yield the arrows of a request: there, the way found, back; of a call also its media and its end."""
    index = evidence.index
    yield _Arrow(sent.method, "SIP", sent)
    for message in _location(evidence, sent, received):
        yield _Arrow("LIR" if message.is_request else f"LIA {message.result_code}", "AAA-2", message)
    yield _Arrow(received.method, "SIP", received)
    for one in (index.reply_to(received), index.reply_to(sent)):
        if one is not None:
            yield _Arrow(_status(one), "SIP", one)
    if sent.method != "INVITE":
        return
    yield from _in_dialog(evidence, sent, received, "ACK")
    yield from _media(evidence, sent, received)
    yield from _in_dialog(evidence, sent, received, "BYE")


def _location(evidence: Evidence, sent: SipMessage, received: SipMessage) -> Iterator[DiameterMessage]:
    """Yield LIR and LIA between I-CSCF and proxy for the callee (TS 29.228 §6.1.4)."""
    to, first, last = uri_of(sent.header("to")), sent.frame.number, received.frame.number
    for lir in evidence.index.requests_for(LIR, [to], first, last):
        if evidence.facts.role(lir.frame.source) == "icscf":
            yield lir
            lia = evidence.index.answer_to(lir)
            if lia is not None:
                yield lia
            return


def _in_dialog(evidence: Evidence, sent: SipMessage, received: SipMessage, method: str) -> Iterator[_Arrow]:
    """Yield a request of the call as the one UE sent it and as the other got it, then the answers to it."""
    ends = {sent.frame.source, received.frame.destination}
    requests = [one for one in evidence.index.call(sent.call_id) if one.method == method]
    first = next((one for one in requests if one.frame.source in ends), None)
    last = next((one for one in requests if one.frame.destination in ends), None)
    for one in (first, last):
        if one is not None:
            yield _Arrow(method, "SIP", one)
    for one in (evidence.index.reply_to(last), evidence.index.reply_to(first)):
        if one is not None:
            yield _Arrow(_status(one), "SIP", one)


def _media(evidence: Evidence, sent: SipMessage, received: SipMessage) -> Iterator[_Arrow]:
    """Yield the first RTP packet each way, with how many there were, between the two addresses of the SDP."""
    answer = evidence.index.reply_to(received)
    ends = (audio_of(sent), audio_of(answer) if answer is not None else None)
    if None in ends:
        return
    flows: dict[bool, list[Payload]] = {True: [], False: []}
    for payload in evidence.capture.payloads:
        frame = payload.frame
        way = ((frame.source, frame.source_port), (frame.destination, frame.destination_port))
        if payload.rtp is not None and frame.number > sent.frame.number and way in (ends, ends[::-1]):
            flows[way == ends].append(payload)
    for flow in sorted(filter(None, flows.values()), key=lambda found: found[0].frame.number):
        yield _Arrow(f"RTP, {len(flow)} packets", "RTP", flow[0])


def _lanes(
    evidence: Evidence, system: str, ues: Iterable[str], servers: tuple[Lane, ...], users: Mapping[Lane, str]
) -> Mapping[Lane, str]:
    """Return the lanes from left to right, the servers between the UEs; a system is a partner of who is not its own."""
    homes = {ue.name: ue.system for ue in evidence.facts.ues}
    side = "primary" if all(homes[name] == system for name in ues) else "partner"
    named: dict[Lane, str] = {lane: f"MC service UE {name}" for lane, name in users.items()}
    first, *others = named.items()
    return dict([first, *((lane, _NAMES[lane].format(side=side)) for lane in servers), *others])


def _ladder(evidence: Evidence, drawing: _Drawing, verdicts: Mapping[int, Verdict]) -> Ladder:
    arrows = sorted(drawing.arrows, key=lambda arrow: arrow.message.frame.number)
    lanes, first = list(drawing.lanes), arrows[0].message.frame
    stem = drawing.procedure.replace(" ", "-")

    def lane_of(address: str) -> int:
        lane = drawing.ends.get(address) or _ROLES.get(evidence.facts.role(address), "core")
        return lanes.index(lane if lane in lanes else "core")

    def row(number: int, arrow: _Arrow) -> LadderRow:
        frame = arrow.message.frame
        return LadderRow(
            step=f"{stem}-{number}",
            title=arrow.title,
            wire=arrow.wire,
            kind="message",
            source=lane_of(frame.source),
            destination=lane_of(frame.destination),
            verdict=verdicts.get(frame.number),
            frame=frame.number,
            at_ms=round((frame.time_s - first.time_s) * 1000, 3),
            fields=() if isinstance(arrow.message, Payload) else (*decoded_fields(arrow.message), *arrow.said),
        )

    rows = tuple(row(number, arrow) for number, arrow in enumerate(arrows, 1))
    names = tuple(drawing.lanes.values())
    return Ladder(procedure=drawing.procedure, title=drawing.title, ue=drawing.ue, lanes=names, rows=rows)


def _verdicts(judged: Judged) -> dict[int, Verdict]:
    """Return frame -> the verdict of the steps and checks that name it."""
    found: dict[int, list[Verdict]] = {}
    for line in judged:
        for number in line.frames:
            found.setdefault(number, []).append(line.verdict)
    return {number: combined(verdicts) for number, verdicts in found.items()}


def _status(message: SipMessage) -> str:
    """Return status and reason, and what a warning says (RFC 3261 §20.43)."""
    _, quote, warning = message.header("warning").partition('"')
    said = ": " + warning.rstrip('"') if quote else ""
    return f"{message.status} {message.reason}".rstrip() + said
