"""Service authorisations of a capture: third-party REGISTERs to MC service servers, answered (TS 24.379 §7.3.2).

Nothing is known of the network: who sends a third-party REGISTER is not whom it is for, or has got REGISTERs of UEs.
One to another application server is left out: it is about no MC service.  Of a token only its claims are kept.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.evidence.messages import Capture, SipMessage
from lab.evidence.texts import claims_of, is_registering, is_third_party, uri_of

WARNING: Final = re.compile("service authori[sz]ation failed", re.IGNORECASE)
_OF_MC_SERVICE: Final = re.compile("mcptt|mcvideo|mcdata", re.IGNORECASE)
_TOKEN: Final = re.compile(r"<mcptt-access-token[^>]*>\s*<mcpttString>\s*([^<\s]{1,16384})\s*<")
_ENCRYPTED: Final = re.compile(r"<mcptt-access-token[^>]*>\s*<[A-Za-z0-9]*:?EncryptedData")


@dataclass(frozen=True, slots=True)
class Authorisation:
    """One third-party REGISTER, with its copies, its final answer, and the UE's REGISTER that led to it.

    Attributes:
        claims: of the access token in it; empty where there is none, or where it cannot be read.
    """

    requests: tuple[SipMessage, ...]
    reply: SipMessage | None
    register: SipMessage | None
    claims: Mapping[str, Any]

    @property
    def request(self) -> SipMessage:
        return self.requests[0]

    @property
    def impu(self) -> str:
        return uri_of(self.request.header("to"))

    @property
    def server(self) -> str:
        """The address of the MC service server."""
        return self.request.frame.destination

    @property
    def status(self) -> int:
        return self.reply.status if self.reply else 0

    @property
    def is_silent(self) -> bool:
        """Tell one that was sent again and never answered; a capture may end before the answer to a single one."""
        return self.reply is None and len(self.requests) > 1

    @property
    def has_failed(self) -> bool:
        return self.is_silent or self.status >= 300

    @property
    def has_token(self) -> bool:
        return carries_token(self.request)

    @property
    def is_encrypted(self) -> bool:
        """Tell a token that only the server can read (TS 33.180 §9.3)."""
        return bool(_ENCRYPTED.search(self.request.text))

    @property
    def messages(self) -> tuple[SipMessage, ...]:
        """The UE's REGISTER, the third-party one, the answer: those that were seen."""
        return tuple(one for one in (self.register, self.request, self.reply) if one is not None)

    @property
    def frames(self) -> tuple[int, ...]:
        return tuple(message.frame.number for message in self.messages)


def read_authorisations(capture: Capture) -> tuple[Authorisation, ...]:
    """Return the service authorisations of a capture in the order of frames; de-registrations are none."""
    registers = [message for message in capture.sip if message.cseq[1] == "REGISTER"]
    servers = {message.frame.destination for message in registers if message.is_request}
    grouped: dict[tuple[str, int, str], list[SipMessage]] = {}
    for message in registers:
        grouped.setdefault((message.call_id, message.cseq[0], uri_of(message.header("to"))), []).append(message)
    groups = [legs for legs in grouped.values() if legs[0].is_request]
    third = [legs for legs in groups if legs[0].frame.source in servers or is_third_party(legs[0])]
    known = {id(legs) for legs in third}
    sent = [legs[0] for legs in groups if id(legs) not in known]
    found = (_authorisation(legs, sent) for legs in third)
    return tuple(one for one in found if one is not None)


def carries_token(message: SipMessage) -> bool:
    """Tell a REGISTER that carries an access token, in clear or encrypted."""
    return bool(_TOKEN.search(message.text) or _ENCRYPTED.search(message.text))


def _authorisation(legs: list[SipMessage], sent: Iterable[SipMessage]) -> Authorisation | None:
    first = legs[0]
    ends = (first.frame.source, first.frame.destination)
    copies = tuple(one for one in legs if one.is_request and (one.frame.source, one.frame.destination) == ends)
    replies = [one for one in legs if one.status >= 200 and one.frame.destination == first.frame.source]
    reply = replies[0] if replies else None
    is_ours = _OF_MC_SERVICE.search(first.text) or (reply is not None and WARNING.search(reply.header("warning")))
    if not is_ours or not is_registering(first):
        return None
    before = [one for one in sent if one.frame.number < first.frame.number and _is_of(one, first)]
    token = _TOKEN.search(first.text)
    return Authorisation(copies, reply, before[-1] if before else None, claims_of(token[1]) if token else {})


def _is_of(register: SipMessage, third_party: SipMessage) -> bool:
    return uri_of(register.header("to")) == uri_of(third_party.header("to"))
