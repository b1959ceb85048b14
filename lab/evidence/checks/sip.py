"""Named checks over SIP: how requests of a UE ended, registrations, resynchronisation, messages."""

import base64
from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.messages import SipMessage
from lab.evidence.queries import diameter_on, hexadecimal, story_of
from lab.evidence.story import Evidence, digest_parameters, is_registering

Transaction = tuple[SipMessage, SipMessage]

USER_DEREGISTRATION = "5"


def sip_status(
    evidence: Evidence, *, ue: str, system: str, method: str, status: int | tuple[int, ...], within_s: float = 0.0
) -> Finding:
    """The last request of this method that the UE sent in the system ended with the status, in time if one is given."""
    found = list(_of_ue(evidence, ue, system, method))
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
    found = list(_of_ue(evidence, ue, system, method))
    bad = [reply.frame.number for _, reply in found if reply.status == status]

    def faults() -> Iterator[str]:
        yield from lacks(found, f"{ue} sent no {method} in {system}")
        yield from lacks(not bad, f"{status} in frame {bad[:1]}")

    return judged(bad, f"sip.Status-Code == {status}", faults())


def registrations(evidence: Evidence, *, ue: str, system: str, count: int) -> Finding:
    """So many registrations of the UE ended with 200, each after a challenge of its own with a fresh nonce."""
    good = [pair for pair in _of_ue(evidence, ue, system, "REGISTER") if pair[1].status == 200]
    good = [pair for pair in good if is_registering(pair[0])]
    nonces = [digest_parameters(request.header("authorization")).get("nonce", "") for request, _ in good]

    def faults() -> Iterator[str]:
        yield from differs(f"registrations of {ue} in {system}", len(good), count)
        yield from lacks(len(set(nonces)) == len(nonces), "one nonce served two registrations")
        yield from lacks(all(nonces), "a 200 without a challenge")

    return judged(_numbers(good), 'sip.CSeq.method == "REGISTER"', faults())


def deregistered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """REGISTER with Expires 0 ended with 200, and an SAR of user de-registration (5) went out on AAA-2."""
    good = [
        pair
        for pair in _of_ue(evidence, ue, system, "REGISTER")
        if pair[1].status == 200 and not is_registering(pair[0])
    ]
    requests = [m for m in diameter_on(evidence, "aaa-2", 301, system) if m.is_request]
    sars = [m for m in requests if m.value(614) == USER_DEREGISTRATION]

    def faults() -> Iterator[str]:
        yield from lacks(good, f"no 200 to a de-registration of {ue} in {system}")
        yield from lacks(sars, "no SAR with Server-Assignment-Type 5 (USER_DEREGISTRATION)")

    frames = [*_numbers(good), *(m.frame.number for m in sars)]
    return judged(frames, "diameter.Server-Assignment-Type == 5 || sip.Expires == 0", faults())


def resynchronised(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """AUTS of the UE reaches the HSS octet for octet, and a 200 follows (TS 33.102 §6.3.5, RFC 3310 §3.4)."""
    asked = [m for m in _registers(evidence, ue, system) if digest_parameters(m.header("authorization")).get("auts")]
    wanted = [_octets_of_auts(m) for m in asked]
    at_hss = [
        m for m in diameter_on(evidence, "hss", 303, "") if m.is_request and any(o in hexadecimal(m) for o in wanted)
    ]
    after = [
        pair
        for pair in _of_ue(evidence, ue, system, "REGISTER")
        if asked and pair[1].status == 200 and pair[1].frame.number > asked[-1].frame.number
    ]

    def faults() -> Iterator[str]:
        yield from lacks(asked, f"{ue} sent no AUTS in {system}")
        yield from lacks(at_hss, "no MAR at the HSS holds the AUTS of the UE")
        yield from lacks(after, "no 200 after the resynchronisation")

    frames = [*(m.frame.number for m in asked), *(m.frame.number for m in at_hss), *_numbers(after[:1])]
    return judged(frames, "sip.auth.auts || (diameter.cmd.code == 303 && diameter.flags.request == 1)", faults())


def challenge_unanswered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """After the 401 no REGISTER with a response or AUTS followed: the UE did not trust AUTN."""
    challenged = [pair for pair in _of_ue(evidence, ue, system, "REGISTER") if pair[1].status == 401]
    answers = [
        m for m in _registers(evidence, ue, system) if digest_parameters(m.header("authorization")).get("response")
    ]

    def faults() -> Iterator[str]:
        yield from lacks(challenged, f"{ue} was never challenged in {system}")
        yield from lacks(not answers, f"{ue} answered in frame {[m.frame.number for m in answers[:1]]}")

    return judged([*_numbers(challenged), *(m.frame.number for m in answers)], 'sip.Method == "REGISTER"', faults())


def message_delivered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A MESSAGE reached the UE through the system's S-CSCF and got 200."""
    addresses = story_of(evidence, ue).ue.addresses
    facts = evidence.facts
    good = [
        pair
        for pair in transactions(evidence, "MESSAGE")
        if pair[0].frame.destination in addresses
        and facts.system_of(pair[0].frame.source) == system
        and pair[1].status == 200
    ]
    through = [
        m
        for m in evidence.capture.sip
        if m.method == "MESSAGE"
        and facts.role(m.frame.source) == "scscf"
        and facts.system_of(m.frame.source) == system
        and m.call_id in {request.call_id for request, _ in good}
    ]

    def faults() -> Iterator[str]:
        yield from lacks(good, f"no MESSAGE reached {ue} through {system} and got 200")
        yield from lacks(through or not good, f"it did not pass the S-CSCF of {system}")

    return judged(_numbers(good), 'sip.Method == "MESSAGE"', faults())


def sip_got(evidence: Evidence, *, ue: str, system: str, method: str, status: int, within_s: float = 0.0) -> Finding:
    """Some request of this method that the UE sent in the system got the status, in time if one is given."""
    good = [pair for pair in _of_ue(evidence, ue, system, method) if pair[1].status == status]
    elapsed = [reply.frame.time_s - request.frame.time_s for request, reply in good]

    def faults() -> Iterator[str]:
        seen = sorted({reply.status for _, reply in _of_ue(evidence, ue, system, method)})
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


def transactions(evidence: Evidence, method: str) -> Iterator[Transaction]:
    """Yield each request of a method with its final response on the same leg, in the order of responses."""
    requests: dict[tuple[str, str, str, tuple[int, str]], SipMessage] = {}
    for message in evidence.capture.sip:
        frame = message.frame
        if message.is_request and message.method == method:
            requests.setdefault((frame.source, frame.destination, message.call_id, message.cseq), message)
        elif message.status >= 200:
            request = requests.pop((frame.destination, frame.source, message.call_id, message.cseq), None)
            if request is not None:
                yield request, message


def _of_ue(evidence: Evidence, ue: str, system: str, method: str) -> Iterator[Transaction]:
    addresses = story_of(evidence, ue).ue.addresses
    for request, reply in transactions(evidence, method):
        where = evidence.facts.system_of(request.frame.destination)
        if request.frame.source in addresses and (not system or where == system):
            yield request, reply


def _registers(evidence: Evidence, ue: str, system: str) -> Iterator[SipMessage]:
    addresses = story_of(evidence, ue).ue.addresses
    for message in evidence.capture.sip:
        where = evidence.facts.system_of(message.frame.destination)
        if message.method == "REGISTER" and message.frame.source in addresses and where == system:
            yield message


def _octets_of_auts(message: SipMessage) -> str:
    return base64.b64decode(digest_parameters(message.header("authorization"))["auts"]).hex()


def _numbers(pairs: list[Transaction]) -> list[int]:
    return [number for request, reply in pairs for number in (request.frame.number, reply.frame.number)]
