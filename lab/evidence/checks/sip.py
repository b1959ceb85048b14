"""Named checks over SIP: how requests of a UE ended, registrations, resynchronisation, messages."""

import base64
from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.messages import SipMessage
from lab.evidence.queries import diameter_on, hexadecimal, story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import digest_parameters, is_registering, uri_of

Transaction = tuple[SipMessage, SipMessage]

SAR = 301
SERVER_ASSIGNMENT_TYPE = 614
USER_DEREGISTRATION = "5"
RAND_OCTETS = 16
AUTS_OCTETS = 14


def sip_status(
    evidence: Evidence, *, ue: str, system: str, method: str, status: int | tuple[int, ...], within_s: float = 0.0
) -> Finding:
    """The last request of this method that the UE sent in the system ended with the status, in time if one is given."""
    found = list(transactions(evidence, ue, system, method))
    if not found:
        return judged((), f'sip.Method == "{method}"', [f"{ue} got no final response to {method} in {system}"])
    request, reply = found[-1]
    elapsed_s = reply.frame.time_s - request.frame.time_s
    wanted = status if isinstance(status, tuple | list) else (status,)

    def faults() -> Iterator[str]:
        yield from lacks(reply.status in wanted, f"status {reply.status} {reply.reason}, wanted {wanted}")
        if within_s:
            yield from lacks(elapsed_s <= within_s, f"it came after {elapsed_s:.2f} s, wanted {within_s} s")

    frames = (request.frame.number, reply.frame.number)
    detail = f"{reply.status} {reply.reason} after {elapsed_s:.3f} s"
    return judged(frames, f'sip.Call-ID == "{request.call_id}"', faults(), detail)


def sip_never(evidence: Evidence, *, ue: str, system: str, method: str, status: int) -> Finding:
    """No request of this method that the UE sent in the system got the status; and there was one."""
    found = list(transactions(evidence, ue, system, method))
    bad = [reply.frame.number for _, reply in found if reply.status == status]

    def faults() -> Iterator[str]:
        yield from lacks(found, f"{ue} sent no {method} in {system}")
        yield from lacks(not bad, f"{status} in frame {bad[:1]}")

    return judged(bad, f"sip.Status-Code == {status}", faults())


def registrations(evidence: Evidence, *, ue: str, system: str, count: int) -> Finding:
    """So many registrations of the UE ended with 200, each after a challenge of its own with a fresh nonce."""
    good = [pair for pair in transactions(evidence, ue, system, "REGISTER") if pair[1].status == 200]
    good = [pair for pair in good if is_registering(pair[0])]
    nonces = [digest_parameters(request.header("authorization")).get("nonce", "") for request, _ in good]

    def faults() -> Iterator[str]:
        yield from differs(f"registrations of {ue} in {system}", len(good), count)
        yield from lacks(len(set(nonces)) == len(nonces), "one nonce served two registrations")
        yield from lacks(all(nonces), "a 200 without a challenge")

    return judged(_numbers(good), 'sip.CSeq.method == "REGISTER"', faults())


def deregistered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """REGISTER with Expires 0 ended with 200, and between them an SAR of user de-registration (5) named its user."""
    good = [
        pair
        for pair in transactions(evidence, ue, system, "REGISTER")
        if pair[1].status == 200 and not is_registering(pair[0])
    ]
    sars = [
        sar
        for request, reply in good
        for sar in evidence.index.requests_for(SAR, [uri_of(request.header("to"))], *_span(request, reply, evidence))
        if sar.value(SERVER_ASSIGNMENT_TYPE) == USER_DEREGISTRATION
        and evidence.index.leg(sar) == "aaa-2"
        and evidence.facts.system_of(sar.frame.source) == system
    ]

    def faults() -> Iterator[str]:
        yield from lacks(good, f"no 200 to a de-registration of {ue} in {system}")
        yield from lacks(sars, "no SAR with Server-Assignment-Type 5 (USER_DEREGISTRATION) for it")

    frames = [*_numbers(good), *(m.frame.number for m in sars)]
    return judged(frames, "diameter.Server-Assignment-Type == 5 || sip.Expires == 0", faults())


def resynchronised(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """RAND and AUTS of the UE reach the HSS octet for octet, a fresh challenge and a 200 follow (RFC 3310 §3.4)."""
    asked = [m for m in _registers(evidence, ue, system) if digest_parameters(m.header("authorization")).get("auts")]
    wanted = {token for m in asked if (token := _resynchronisation_token(m))}
    at_hss = [
        m
        for m in diameter_on(evidence, "hss", 303, "")
        if m.is_request and any(token in hexadecimal(m) for token in wanted)
    ]
    stale = {digest_parameters(m.header("authorization")).get("nonce") for m in asked}
    after = [
        pair
        for pair in transactions(evidence, ue, system, "REGISTER")
        if asked and pair[1].status == 200 and pair[1].frame.number > asked[-1].frame.number
    ]
    fresh = [pair for pair in after if digest_parameters(pair[0].header("authorization")).get("nonce") not in stale]

    def faults() -> Iterator[str]:
        yield from lacks(asked, f"{ue} sent no AUTS in {system}")
        yield from lacks(len(wanted) == len(asked), "an AUTS is not 14 octets, or its nonce is none")
        yield from lacks(at_hss, "no MAR at the HSS holds RAND and AUTS of the UE")
        yield from lacks(after, "no 200 after the resynchronisation")
        yield from lacks(fresh or not after, "the 200 answers the challenge that was out of step")

    frames = [*(m.frame.number for m in asked), *(m.frame.number for m in at_hss), *_numbers(after[:1])]
    return judged(frames, "sip.auth.auts || (diameter.cmd.code == 303 && diameter.flags.request == 1)", faults())


def challenge_unanswered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """After the 401 no REGISTER with a response or AUTS followed: the UE did not trust AUTN."""
    challenged = [pair for pair in transactions(evidence, ue, system, "REGISTER") if pair[1].status == 401]
    answers = [
        m
        for m in _registers(evidence, ue, system)
        if {"response", "auts"}
        & {name for name, value in digest_parameters(m.header("authorization")).items() if value}
    ]

    def faults() -> Iterator[str]:
        yield from lacks(challenged, f"{ue} was never challenged in {system}")
        yield from lacks(not answers, f"{ue} answered in frame {[m.frame.number for m in answers[:1]]}")

    return judged([*_numbers(challenged), *(m.frame.number for m in answers)], 'sip.Method == "REGISTER"', faults())


def message_delivered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A MESSAGE reached the UE through the system's S-CSCF and got 200."""
    facts = evidence.facts
    received = evidence.index.received(story_of(evidence, ue).ue.addresses, ("MESSAGE",), 0)
    good = [
        (request, reply)
        for request in received
        if facts.system_of(request.frame.source) == system
        and (reply := evidence.index.reply_to(request)) is not None
        and reply.status == 200
    ]
    through = [
        m
        for request, _ in good
        for m in evidence.index.call(request.call_id)
        if m.method == "MESSAGE" and facts.role(m.frame.source) == "scscf" and facts.system_of(m.frame.source) == system
    ]

    def faults() -> Iterator[str]:
        yield from lacks(good, f"no MESSAGE reached {ue} through {system} and got 200")
        yield from lacks(through or not good, f"it did not pass the S-CSCF of {system}")

    return judged(_numbers(good), 'sip.Method == "MESSAGE"', faults())


def sip_got(evidence: Evidence, *, ue: str, system: str, method: str, status: int, within_s: float = 0.0) -> Finding:
    """Some request of this method that the UE sent in the system got the status, in time if one is given."""
    good = [pair for pair in transactions(evidence, ue, system, method) if pair[1].status == status]
    elapsed = [reply.frame.time_s - request.frame.time_s for request, reply in good]

    def faults() -> Iterator[str]:
        seen = sorted({reply.status for _, reply in transactions(evidence, ue, system, method)})
        yield from lacks(good, f"no {status} to {method} of {ue} in {system}; seen: {seen}")
        if within_s and elapsed:
            yield from lacks(max(elapsed) <= within_s, f"it came after {max(elapsed):.2f} s, wanted {within_s} s")

    detail = f"after {max(elapsed):.3f} s" if elapsed else ""
    return judged(_numbers(good), f"sip.Status-Code == {status}", faults(), detail)


def time_between(evidence: Evidence, *, ue: str, first: str, last: str, at_most_s: float) -> Finding:
    """Between the frames of two steps of the UE's registration (10.6.2-2, -11, -12, -13) no more than this passed."""
    partner = story_of(evidence, ue).partner
    moments = {
        "10.6.2-2": partner.first if partner else None,
        "10.6.2-11": partner.challenge if partner else None,
        "10.6.2-12": partner.answer if partner else None,
        "10.6.2-13": partner.final if partner else None,
    }
    began, ended = moments[first], moments[last]
    if began is None or ended is None:
        return judged((), "sip", [f"{ue} came not from {first} to {last}"])
    elapsed_s = ended.frame.time_s - began.frame.time_s
    frames = (began.frame.number, ended.frame.number)
    faults = lacks(elapsed_s <= at_most_s, f"{elapsed_s:.3f} s passed, wanted {at_most_s} s at most")
    return judged(frames, frame_filter(frames), faults, f"{elapsed_s * 1000:.1f} ms")


def both_orders(evidence: Evidence) -> Finding:
    """One UE authenticates its user before its registration and another after it (10.6.1 step 1)."""
    pairs = [(s.authentication.request, s.home.first) for s in evidence.stories if s.authentication and s.home]
    orders = {token.frame.number < register.frame.number for token, register in pairs}
    frames = [number for token, register in pairs for number in (token.frame.number, register.frame.number)]
    return judged(frames, frame_filter(frames), lacks(orders == {True, False}, f"orders seen: {sorted(orders)}"))


def transactions(evidence: Evidence, ue: str, system: str, method: str) -> Iterator[Transaction]:
    """Yield what a UE sent in a system with its final responses; retransmissions are one request."""
    asked = set()
    for request in evidence.index.sent(story_of(evidence, ue).ue.addresses, method):
        where = evidence.facts.system_of(request.frame.destination)
        key = (request.call_id, request.cseq, request.frame.destination)
        if (not system or where == system) and key not in asked:
            asked.add(key)
            reply = evidence.index.reply_to(request)
            if reply is not None:
                yield request, reply


def _registers(evidence: Evidence, ue: str, system: str) -> list[SipMessage]:
    sent = evidence.index.sent(story_of(evidence, ue).ue.addresses, "REGISTER")
    return [m for m in sent if evidence.facts.system_of(m.frame.destination) == system]


def _span(request: SipMessage, reply: SipMessage, evidence: Evidence) -> tuple[int, int]:
    """Return the frames of a request, wherever it was first, and of its final response."""
    return min(copy.frame.number for copy in evidence.index.copies_of(request)), reply.frame.number


def _resynchronisation_token(message: SipMessage) -> str:
    """Return RAND and AUTS in hexadecimal, what SIP-Authorization holds then (TS 29.228 §6.3); empty when malformed."""
    given = digest_parameters(message.header("authorization"))
    try:
        rand = base64.b64decode(given.get("nonce", ""))[:RAND_OCTETS]
        auts = base64.b64decode(given["auts"])
    except ValueError:
        return ""
    return (rand + auts).hex() if (len(rand), len(auts)) == (RAND_OCTETS, AUTS_OCTETS) else ""


def _numbers(pairs: list[Transaction]) -> list[int]:
    return [number for request, reply in pairs for number in (request.frame.number, reply.frame.number)]
