"""Checks that a scenario asks for by name, with parameters: what must, or must not, be seen on which wire.

Each takes the evidence and keyword parameters and returns a finding.  ``REGISTRY`` is the list of all of them;
a name or parameter that is not there is a mistake of the scenario and makes the check ``unknown``.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.checks.secrecy import messages
from lab.evidence.dissect import DiameterMessage, SipMessage
from lab.evidence.story import (
    Evidence,
    Story,
    digest_parameters,
    is_registering,
    leg_of,
)


class NamedCheck(Protocol):
    """A check as a scenario names it."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...


def describe(check: NamedCheck) -> str:
    """Return the check in words: its name and parameters."""
    words = ", ".join(f"{key}={value}" for key, value in check.parameters.items())
    return f"{check.name}({words})" if words else check.name


def run_check(check: NamedCheck, evidence: Evidence) -> Finding:
    """Run a named check.

    Raises:
        KeyError: there is no check of that name.
        TypeError: it has other parameters.
    """
    return REGISTRY[check.name](evidence, **dict(check.parameters))


def sip_status(
    evidence: Evidence, *, ue: str, status: int, method: str = "REGISTER", system: str = "", within_s: float = 0.0
) -> Finding:
    """The last final response that a UE gets to a method (401 aside) has this status, in time where one is given."""
    story = story_of(evidence, ue)
    pairs = [
        (request, reply)
        for request, reply in _transactions(evidence, method)
        if request.frame.source in story.ue.addresses
        and (not system or evidence.facts.system_of(request.frame.destination) == system)
        and reply.status != 401
    ]
    if not pairs:
        return judged((), f'sip.Method == "{method}"', [f"{ue} got no final response to {method}"])
    request, reply = pairs[-1]
    elapsed_s = reply.frame.time_s - request.frame.time_s

    def faults() -> Iterator[str]:
        yield from differs(f"status of {method}", reply.status, status)
        if within_s:
            yield from lacks(elapsed_s <= within_s, f"it came after {elapsed_s:.2f} s, wanted {within_s} s")

    frames = (request.frame.number, reply.frame.number)
    return judged(
        frames, f'sip.Call-ID == "{request.call_id}"', faults(), f"{reply.status} {reply.reason}, {elapsed_s:.2f} s"
    )


def diameter_answer(
    evidence: Evidence, *, leg: str, code: int, command: int = 303, system: str = "", within_s: float = 0.0
) -> Finding:
    """An answer with this Result-Code or Experimental-Result-Code is seen on a leg."""
    found = [m for m in _diameter(evidence, leg, command, system) if not m.is_request and m.result_code == code]
    others = sorted({m.result_code or 0 for m in _diameter(evidence, leg, command, system) if not m.is_request})
    frames = [m.frame.number for m in found]

    def faults() -> Iterator[str]:
        yield from lacks(found, f"no answer {code} to command {command} on {leg}; seen: {others}")
        for answer in found if within_s else ():
            request = _request_of(evidence, answer)
            elapsed_s = answer.frame.time_s - request.frame.time_s if request else 0.0
            yield from lacks(elapsed_s <= within_s, f"frame {answer.frame.number} came after {elapsed_s:.2f} s")

    return judged(frames, f"diameter.cmd.code == {command} && diameter.flags.request == 0", faults())


def nothing_on(
    evidence: Evidence, *, leg: str, command: int = 0, system: str = "", requests_only: bool = False
) -> Finding:
    """No Diameter request (of this command, where one is given; base protocol aside) is seen on a leg."""
    found = [m for m in _diameter(evidence, leg, command, system) if m.is_request or not requests_only]
    frames = [m.frame.number for m in found]
    return judged(
        frames, frame_filter(frames), (f"command {m.command_code} in frame {m.frame.number}" for m in found[:3])
    )


def identity_absent(evidence: Evidence, *, identity: str, leg: str = "", system: str = "") -> Finding:
    """An identity is in no decrypted message on a leg, or of a system, or anywhere."""
    found = [
        seen
        for seen in messages(evidence)
        if identity in seen.text and (not leg or seen.leg == leg) and (not system or system in seen.systems)
    ]
    frames = [seen.frame.number for seen in found]
    return judged(frames, frame_filter(frames), (f"frame {s.frame.number} on {s.leg} holds it" for s in found[:3]))


def problem(evidence: Evidence, *, step: str, status: int, type: str = "") -> Finding:  # noqa: A002 - RFC 9457's word
    """A refusal as problem details (RFC 9457) names the step, with this status."""
    found = [x for x in evidence.exchanges if x.status >= 400 and x.answer().get("step") == step]
    frames = [number for exchange in found for number in exchange.frames]

    def faults() -> Iterator[str]:
        seen = sorted({(str(x.answer().get("step")), x.status) for x in evidence.exchanges if x.status >= 400})
        yield from lacks(found, f"no problem details name step {step}; refusals seen: {seen}")
        for exchange in found:
            yield from differs(f"status in frame {exchange.frames[-1]}", exchange.status, status)
            if type:
                ending = str(exchange.answer().get("type", "")).rsplit(":", 1)[-1]
                yield from differs("type", ending, type)

    return judged(frames, "http.response.code >= 400", faults())


def registrations(evidence: Evidence, *, ue: str, count: int, system: str) -> Finding:
    """A UE gets this many 200s to REGISTER in a system, each after a challenge of its own with a fresh nonce."""
    story = story_of(evidence, ue)
    good = [
        (request, reply)
        for request, reply in _transactions(evidence, "REGISTER")
        if request.frame.source in story.ue.addresses
        and evidence.facts.system_of(request.frame.destination) == system
        and reply.status == 200
        and is_registering(request)
    ]
    nonces = [digest_parameters(request.header("authorization")).get("nonce", "") for request, _ in good]

    def faults() -> Iterator[str]:
        yield from differs(f"registrations of {ue} in {system}", len(good), count)
        yield from lacks(len(set(nonces)) == len(nonces), "a nonce was used for two registrations")
        yield from lacks(all(nonces), "a 200 without a challenge")

    frames = [number for request, reply in good for number in (request.frame.number, reply.frame.number)]
    return judged(frames, 'sip.CSeq.method == "REGISTER"', faults())


def deregistered(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A UE de-registers in a system: Expires 0, 200, and an SAR of user de-registration (5) on AAA-2."""
    story = story_of(evidence, ue)
    good = [
        (request, reply)
        for request, reply in _transactions(evidence, "REGISTER")
        if request.frame.source in story.ue.addresses
        and evidence.facts.system_of(request.frame.destination) == system
        and reply.status == 200
        and not is_registering(request)
    ]
    sars = [m for m in _diameter(evidence, "aaa-2", 301, system) if m.is_request and m.value(614) in ("5", "4")]

    def faults() -> Iterator[str]:
        yield from lacks(good, f"no 200 to a de-registration of {ue} in {system}")
        yield from lacks(sars, "no SAR with Server-Assignment-Type USER_DEREGISTRATION (5)")

    frames = [*(n for a, b in good for n in (a.frame.number, b.frame.number)), *(m.frame.number for m in sars)]
    return judged(frames, "diameter.Server-Assignment-Type == 5 || sip.Expires == 0", faults())


def resynchronised(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """AUTS reaches the HSS octet for octet, and the UE accepts the vector that follows (TS 33.102 §6.3.5)."""

    story = story_of(evidence, ue)
    asked = [
        m
        for m in evidence.capture.sip
        if m.method == "REGISTER"
        and m.frame.source in story.ue.addresses
        and evidence.facts.system_of(m.frame.destination) == system
        and digest_parameters(m.header("authorization")).get("auts")
    ]
    octets = [base64.b64decode(digest_parameters(m.header("authorization"))["auts"]).hex() for m in asked]
    at_hss = [m for m in _diameter(evidence, "hss", 303, "") if m.is_request and any(o in _hex(m) for o in octets)]
    after = [
        reply
        for request, reply in _transactions(evidence, "REGISTER")
        if asked
        and request.frame.source in story.ue.addresses
        and reply.status == 200
        and reply.frame.number > asked[-1].frame.number
    ]

    def faults() -> Iterator[str]:
        yield from lacks(asked, f"{ue} sent no AUTS in {system}")
        yield from lacks(at_hss, "no MAR at the HSS holds the AUTS of the UE")
        yield from lacks(after, "no 200 after the resynchronisation")

    frames = [*(m.frame.number for m in asked), *(m.frame.number for m in at_hss), *(m.frame.number for m in after[:1])]
    return judged(frames, "sip.auth.auts || (diameter.cmd.code == 303 && diameter.flags.request == 1)", faults())


def message_arrives(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A MESSAGE reaches a UE through a system's P-CSCF, and the UE answers 200."""
    story = story_of(evidence, ue)
    good = [
        (request, reply)
        for request, reply in _transactions(evidence, "MESSAGE")
        if request.frame.destination in story.ue.addresses
        and evidence.facts.system_of(request.frame.source) == system
        and reply.status == 200
    ]
    frames = [number for a, b in good for number in (a.frame.number, b.frame.number)]
    return judged(frames, 'sip.Method == "MESSAGE"', lacks(good, f"no MESSAGE reached {ue} through {system}"))


def no_response_sent(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A UE that cannot trust AUTN answers no challenge: no REGISTER of it holds a digest response or AUTS."""
    story = story_of(evidence, ue)
    sent = [
        m
        for m in evidence.capture.sip
        if m.method == "REGISTER"
        and m.frame.source in story.ue.addresses
        and evidence.facts.system_of(m.frame.destination) == system
        and digest_parameters(m.header("authorization")).get("response")
    ]
    frames = [m.frame.number for m in sent]
    return judged(frames, 'sip.Method == "REGISTER"', lacks(not sent, f"{ue} answered in frame {frames[:1]}"))


def both_orders(evidence: Evidence) -> Finding:
    """One UE authenticates before its registration and another after it (10.6.1 step 1)."""
    orders = {
        s.authentication.request.frame.number < s.home.first.frame.number
        for s in evidence.stories
        if s.authentication and s.home
    }
    frames = [s.authentication.request.frame.number for s in evidence.stories if s.authentication]
    return judged(
        frames, 'http.request.uri == "/token"', lacks(orders == {True, False}, f"orders seen: {sorted(orders)}")
    )


def several_identities(evidence: Evidence, *, ue: str, count: int) -> Finding:
    """The partner set has this many IMPUs, and the 200 to REGISTER names them all (P-Associated-URI)."""
    story = story_of(evidence, ue)
    body = story.partner_set.answer() if story.partner_set else {}
    lent = list(body.get("partner_mc_system_sip_identities", {}).get("public_user_identities", []))
    final = story.partner.final if story.partner else None
    named = ",".join(final.headers.get("p-associated-uri", ())) if final else ""

    def faults() -> Iterator[str]:
        yield from differs("IMPUs in the partner set", len(lent), count)
        for identity in lent:
            yield from lacks(identity in named, f"{identity} is not in the P-Associated-URI of the 200")

    return judged([final.frame.number if final else None], "sip.P-Associated-URI", faults())


def migrations(evidence: Evidence, *, count: int, crossing: bool = False) -> Finding:
    """This many UEs are registered in a partner system, with sets that no two share; crossing: in both directions."""
    done = [s for s in evidence.stories if s.partner and s.partner.final and s.partner.final.status == 200]
    used = [digest_parameters(s.partner.first.header("authorization")).get("username") for s in done if s.partner]

    def faults() -> Iterator[str]:
        yield from differs("UEs registered in a partner system", len(done), count)
        yield from lacks(len(set(used)) == len(used), "two UEs registered with one set")
        if crossing:
            ways = {(s.ue.system, s.partner.system) for s in done if s.partner}
            yield from lacks(any((b, a) in ways for a, b in ways), f"directions: {sorted(ways)}")

    frames = [s.partner.final.frame.number for s in done if s.partner and s.partner.final]
    return judged(frames, frame_filter(frames), faults())


def story_of(evidence: Evidence, ue: str) -> Story:
    """Return the story of one UE.

    Raises:
        KeyError: no such UE in the run.
    """
    for story in evidence.stories:
        if story.ue.name == ue:
            return story
    raise KeyError(f"no UE {ue} in this run")


def _transactions(evidence: Evidence, method: str) -> Iterator[tuple[SipMessage, SipMessage]]:
    """Yield each request with its final response on the same leg, in the order of responses."""
    requests: dict[tuple[str, str, str, tuple[int, str]], SipMessage] = {}
    for message in evidence.capture.sip:
        frame = message.frame
        if message.is_request and message.method == method:
            requests.setdefault((frame.source, frame.destination, message.call_id, message.cseq), message)
        elif message.status >= 200:
            key = (frame.destination, frame.source, message.call_id, message.cseq)
            request = requests.pop(key, None)
            if request is not None:
                yield request, message


def _diameter(evidence: Evidence, leg: str, command: int, system: str) -> list[DiameterMessage]:
    facts = evidence.facts
    return [
        m
        for m in evidence.capture.diameter
        if leg_of(m.frame, facts) == leg
        and m.command_code not in (257, 280, 282)
        and (not command or m.command_code == command)
        and (not system or system in (facts.system_of(m.frame.source), facts.system_of(m.frame.destination)))
    ]


def _request_of(evidence: Evidence, answer: DiameterMessage) -> DiameterMessage | None:
    for message in evidence.capture.diameter:
        if (
            message.is_request
            and message.frame.stream == answer.frame.stream
            and message.hop_by_hop == answer.hop_by_hop
            and message.command_code == answer.command_code
        ):
            return message
    return None


def _hex(message: DiameterMessage) -> str:
    return "".join(avp.octets for avp in message.avps)


REGISTRY: Final[dict[str, Callable[..., Finding]]] = {
    "sip-status": sip_status,
    "diameter-answer": diameter_answer,
    "nothing-on": nothing_on,
    "identity-absent": identity_absent,
    "problem": problem,
    "registrations": registrations,
    "deregistered": deregistered,
    "resynchronised": resynchronised,
    "message-arrives": message_arrives,
    "no-response-sent": no_response_sent,
    "both-orders": both_orders,
    "several-identities": several_identities,
    "migrations": migrations,
}
