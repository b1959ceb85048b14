"""Named checks over ISC: a UE's access token at the MC service server, and what that server says (TS 24.379 §7.3.2)."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lab.evidence.checks.finding import Finding, differs, judged, lacks
from lab.evidence.messages import SipMessage
from lab.evidence.queries import story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import claims_of, uri_of

FORBIDDEN: Final = 403
WARNING: Final = "101 service authorisation failed"
_TOKEN = re.compile(rb"<mcptt-access-token[^>]*>\s*<mcpttString>([^<]{1,16384})<")
_FILTER: Final = 'sip.CSeq.method == "REGISTER"'


class ThirdParty(NamedTuple):
    """A third-party REGISTER, what answered it, and the claims of the token in it; none where there is no token."""

    request: SipMessage
    reply: SipMessage | None
    claims: dict[str, object]


def service_authorised(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A third-party REGISTER with an access token of the system's IdMS, for the UE's user and that server, got 200.

    The S-CSCF sent it after the UE's REGISTER, and the server had asked the IdMS for its keys before it answered.
    """
    story = story_of(evidence, ue)
    found = [one for one in third_party(evidence, ue, system) if one.reply and one.reply.status == 200 and one.claims]
    if not found:
        return judged((), _FILTER, [f"no third-party REGISTER with a token of {ue} got 200 in {system}"])
    one = found[-1]
    asked = [
        exchange
        for exchange in evidence.exchanges
        if exchange.request.frame.source == one.request.frame.destination
        and evidence.facts.role(exchange.request.frame.destination) == "idms"
        and evidence.facts.system_of(exchange.request.frame.destination) == system
        and one.reply is not None
        and exchange.request.frame.number < one.reply.frame.number
    ]
    carried = [
        message
        for message in evidence.index.sent(story.ue.addresses, "REGISTER")
        if message.frame.number < one.request.frame.number and tokens_in(evidence, message)
    ]

    def faults() -> Iterator[str]:
        yield from lacks(carried, f"no REGISTER of {ue} before it carried a token")
        yield from differs("issuer of the token", one.claims.get("iss"), f"https://idms.{system}.lab")
        yield from differs("MC service ID of the token", one.claims.get("mcptt_id"), story.ue.mc_service_id)
        yield from lacks(_names(one.claims, f"mcs.{system}.lab"), "the token is for another server")
        yield from lacks(asked, "the server asked the IdMS for no keys before")

    frames = [
        *(message.frame.number for message in carried[-1:]),
        *(number for exchange in asked[:2] for number in exchange.frames),
        one.request.frame.number,
        one.reply.frame.number if one.reply else None,
    ]
    return judged(frames, _FILTER, faults(), f"for {story.ue.mc_service_id}")


def service_refused(evidence: Evidence, *, ue: str, system: str, issuer: str) -> Finding:
    """A third-party REGISTER with a token of this issuer, or with none, got 403 and the warning 101 (§4.4.2)."""
    found = [one for one in third_party(evidence, ue, system) if one.claims.get("iss", "") == issuer]

    def faults() -> Iterator[str]:
        what = f"a token of {issuer}" if issuer else "no token"
        yield from lacks(found, f"no third-party REGISTER for {ue} in {system} with {what}")
        for one in found:
            yield from differs("answer", one.reply.status if one.reply else 0, FORBIDDEN)
            warned = one.reply is not None and WARNING in one.reply.header("warning")
            yield from lacks(warned, f"no warning {WARNING!r}")

    frames = [m.frame.number for one in found for m in (one.request, one.reply) if m is not None]
    return judged(frames, f"{_FILTER} || sip.Status-Code == {FORBIDDEN}", faults())


def third_party(evidence: Evidence, ue: str, system: str) -> Iterator[ThirdParty]:
    """Yield the third-party REGISTERs of the system's S-CSCF for what a UE registered there, retransmissions aside."""
    facts, seen = evidence.facts, set()
    registered = {
        uri_of(message.header("to"))
        for message in evidence.index.sent(story_of(evidence, ue).ue.addresses, "REGISTER")
        if facts.system_of(message.frame.destination) == system
    }
    for message in evidence.capture.sip:
        frame = message.frame
        is_ours = message.method == "REGISTER" and uri_of(message.header("to")) in registered
        between = (facts.role(frame.source), facts.role(frame.destination), facts.system_of(frame.destination))
        key = (message.call_id, message.cseq)
        if is_ours and between == ("scscf", "mcs", system) and key not in seen:
            seen.add(key)
            tokens = tokens_in(evidence, message)
            yield ThirdParty(message, evidence.index.reply_to(message), claims_of(tokens[0]) if tokens else {})


def tokens_in(evidence: Evidence, message: SipMessage) -> list[str]:
    """Return the access tokens in the octets of a message's frame."""
    octets = b"".join(one.octets for one in evidence.capture.payloads if one.frame.number == message.frame.number)
    return [token.decode("latin-1") for token in _TOKEN.findall(octets)]


def _names(claims: dict[str, object], audience: str) -> bool:
    named = claims.get("aud")
    return audience in named if isinstance(named, list) else named == audience
