"""The capture as stories: for each UE, the exchanges that are the steps of 10.1.X.1, 10.6.1 and 10.6.2.

Only finds; judges nothing.  A message is found by what names it (addresses, path, End-to-End, Call-ID), so that a
changed value is seen by the check of its own step instead of making the message invisible.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from lab.evidence.facts import RunFacts, UeFacts
from lab.evidence.messages import Capture, DiameterMessage, Frame, HttpMessage, SipMessage

MAR: Final = 303
USER_NAME: Final = 1
PUBLIC_IDENTITY: Final = 601

CSC_4_PATH: Final = "/csc-4/v1/partner-mc-system-connection-details"
PRIMARY_SET_PATH: Final = "/csc-x/v1/primary-mc-system-sip-identities"
PARTNER_SET_PATH: Final = "/csc-x/v1/partner-mc-system-sip-identities"
CSC_17_PATH: Final = "/csc-17/v1/partner-mc-system-access"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Exchange(NamedTuple):
    """An HTTP request and its response, if one came."""

    request: HttpMessage
    response: HttpMessage | None

    @property
    def status(self) -> int:
        return self.response.status if self.response else 0

    def answer(self) -> dict[str, Any]:
        """Return the JSON object of a response, or an empty one."""
        return self.response.json() if self.response else {}

    @property
    def frames(self) -> tuple[int, ...]:
        return (self.request.frame.number, *((self.response.frame.number,) if self.response else ()))


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration of a UE: the first REGISTER, and the challenge, answer and final response that ended it."""

    first: SipMessage
    challenge: SipMessage | None
    answer: SipMessage | None
    final: SipMessage | None
    system: str


@dataclass(frozen=True, slots=True)
class Hop:
    """A Diameter request and its answer on one leg."""

    request: DiameterMessage
    answer: DiameterMessage | None


@dataclass(frozen=True, slots=True)
class Story:
    """What one UE did; ``None`` where it did not come to that."""

    ue: UeFacts
    authentication: Exchange | None = None
    details: Exchange | None = None
    primary_set: Exchange | None = None
    access: Exchange | None = None
    partner_set: Exchange | None = None
    token_exchange: Exchange | None = None
    partner_token: Exchange | None = None
    home: Registration | None = None
    home_mar: Hop | None = None
    partner: Registration | None = None
    aaa_2: Hop | None = None
    csc_y: Hop | None = None
    hss: Hop | None = None
    service: SipMessage | None = None
    service_answer: SipMessage | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The capture with its facts: what every check is given."""

    capture: Capture
    facts: RunFacts
    stories: tuple[Story, ...] = ()
    exchanges: tuple[Exchange, ...] = field(default=())


def read_stories(capture: Capture, facts: RunFacts) -> Evidence:
    """Return the evidence with one story for each UE of the run."""
    exchanges = tuple(_pair(capture.http))
    evidence = Evidence(capture, facts, (), exchanges)
    return Evidence(capture, facts, tuple(_story(evidence, ue) for ue in facts.ues), exchanges)


def leg_of(frame: Frame, facts: RunFacts) -> str:
    """Return the wire between the two ends: ``aaa-2``, ``csc-y``, ``hss``, ``mms``, ``gm``, ``csc-4``, ... ."""
    roles = {facts.role(frame.source), facts.role(frame.destination)}
    for ends, leg in _LEGS:
        if roles == ends:
            return leg
    return "-".join(sorted(roles))


_LEGS: Final = (
    ({"ue", "pcscf"}, "gm"),
    ({"icscf", "proxy"}, "aaa-2"),
    ({"scscf", "proxy"}, "aaa-2"),
    ({"probe", "proxy"}, "aaa-2"),
    ({"proxy", "hss"}, "hss"),
    ({"icscf", "hss"}, "hss"),
    ({"scscf", "hss"}, "hss"),
    ({"proxy", "mms"}, "mms"),
    ({"proxy"}, "csc-y"),
    ({"ue", "cms"}, "csc-4"),
    ({"cms", "mms"}, "csc-x"),
    ({"cms"}, "csc-17"),
    ({"ue", "idms"}, "idms"),
    ({"cms", "idms"}, "idms"),
)


def claims_of(token: str) -> dict[str, Any]:
    """Return the payload of a JWT as it stands in the capture; empty when it is none.  No signature is judged."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        value = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def form_of(message: HttpMessage) -> dict[str, str]:
    """Return the fields of a form body."""
    return {name: values[0] for name, values in parse_qs(message.body).items()}


def bearer_of(message: HttpMessage) -> str:
    """Return the bearer token of a request, or an empty text."""
    scheme, _, token = message.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


_PARAMETER: Final = re.compile(r'([A-Za-z0-9\-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def digest_parameters(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization or WWW-Authenticate header, names in lower case."""
    return {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(header.partition(" ")[2])}


def uri_of(header: str) -> str:
    """Return the URI of a From, To or P-Asserted-Identity header, without parameters."""
    inner = header[header.find("<") + 1 : header.find(">")] if "<" in header else header
    return inner.split(";")[0].strip()


def is_registering(message: SipMessage) -> bool:
    """Tell a REGISTER that is no de-registration."""
    expires = message.header("expires")
    contact = message.header("contact")
    return message.method == "REGISTER" and expires != "0" and "expires=0" not in contact.replace(" ", "")


def _pair(messages: Iterable[HttpMessage]) -> Iterator[Exchange]:
    """Pair requests and responses of a TCP stream, first in, first out (HTTP/1.1)."""
    items = list(messages)
    responses: dict[int, list[HttpMessage]] = {}
    for message in items:
        if not message.is_request:
            responses.setdefault(message.frame.stream, []).append(message)
    for message in items:
        if not message.is_request:
            continue
        queue = responses.get(message.frame.stream, [])
        found = next((r for r in queue if r.frame.number >= message.frame.number), None)
        if found is not None:
            queue.remove(found)
        yield Exchange(message, found)


def _story(evidence: Evidence, ue: UeFacts) -> Story:
    facts = evidence.facts
    details = _first(
        x for x in evidence.exchanges if x.request.path == CSC_4_PATH and x.request.frame.source in ue.addresses
    )
    primary_set = _primary_set(evidence, ue, details)
    access = _caused(evidence, primary_set, CSC_17_PATH, until=details)
    partner_set = _caused(evidence, access, PARTNER_SET_PATH, until=access)
    home = _registration(evidence, ue, home=True)
    partner = _registration(evidence, ue, home=False)
    aaa_2 = _mar(evidence, partner)
    csc_y = _same_transaction(evidence, aaa_2, "csc-y")
    service = _service(evidence, ue, partner)
    tokens = [x for x in evidence.exchanges if x.request.path == "/token" and x.request.frame.source in ue.addresses]
    return Story(
        ue=ue,
        authentication=_first(
            x for x in tokens
            if facts.system_of(x.request.frame.destination) == ue.system
            and form_of(x.request).get("grant_type") in ("password", "authorization_code")
        ),
        details=details,
        primary_set=primary_set,
        access=access,
        partner_set=partner_set,
        token_exchange=_first(x for x in tokens if form_of(x.request).get("grant_type") == TOKEN_EXCHANGE),
        partner_token=_first(x for x in tokens if form_of(x.request).get("grant_type") == JWT_BEARER),
        home=home,
        home_mar=_mar(evidence, home),
        partner=partner,
        aaa_2=aaa_2,
        csc_y=csc_y,
        hss=_same_transaction(evidence, csc_y, "hss"),
        service=service,
        service_answer=_reply(evidence, service),
    )  # fmt: skip


def _first(found: Iterable[Exchange]) -> Exchange | None:
    return next(iter(found), None)


def _primary_set(evidence: Evidence, ue: UeFacts, details: Exchange | None) -> Exchange | None:
    """Return step 4 and 6: the CSC-X exchange of the UE's own system while its step 1 was open, for its user."""
    if details is None:
        return None
    last = details.response.frame.time_s if details.response else float("inf")
    wanted = set(map(str, details.request.json().get("mc_service_ids", ())))
    candidates = [
        x
        for x in evidence.exchanges
        if x.request.path == PRIMARY_SET_PATH
        and details.request.frame.time_s <= x.request.frame.time_s <= last
        and evidence.facts.system_of(x.request.frame.destination) == ue.system
    ]
    exact = [x for x in candidates if wanted & set(map(str, x.request.json().get("mc_service_ids", ())))]
    return _first(exact or candidates)


def _caused(evidence: Evidence, cause: Exchange | None, path: str, *, until: Exchange | None) -> Exchange | None:
    """Return the exchange with ``path`` that ``cause`` led to: the same users, before ``until`` was answered."""
    if cause is None or until is None:
        return None
    last = until.response.frame.time_s if until.response else float("inf")
    users = set(map(str, cause.request.json().get("mc_service_ids", ())))
    candidates = [
        x
        for x in evidence.exchanges
        if x.request.path == path and cause.request.frame.time_s <= x.request.frame.time_s <= last
    ]
    exact = [x for x in candidates if users & set(map(str, x.request.json().get("mc_service_ids", ())))]
    return _first(exact or candidates)


def _registration(evidence: Evidence, ue: UeFacts, *, home: bool) -> Registration | None:
    """Return the UE's first registration in its own system or in another one, up to its final response."""
    facts = evidence.facts
    requests = [
        m
        for m in evidence.capture.sip
        if is_registering(m) and m.frame.source in ue.addresses
        and facts.role(m.frame.destination) == "pcscf"
        and (facts.system_of(m.frame.destination) == ue.system) is home
    ]  # fmt: skip
    if not requests:
        return None
    first = requests[0]
    challenge = answer = final = None
    asked: set[tuple[str, tuple[int, str]]] = set()
    for request in requests:
        if (request.call_id, request.cseq) in asked:
            continue  # a retransmission
        asked.add((request.call_id, request.cseq))
        reply = _reply(evidence, request)
        if request is not first:
            answer = request
        if reply is None:
            break
        if reply.status == 401:
            challenge = reply
            continue
        final = reply
        break
    return Registration(first, challenge, answer, final, facts.system_of(first.frame.destination))


def _reply(evidence: Evidence, request: SipMessage | None) -> SipMessage | None:
    """Return the final response to a request on the same leg."""
    if request is None:
        return None
    for message in evidence.capture.sip:
        if (
            message.status >= 200
            and message.frame.number > request.frame.number
            and message.call_id == request.call_id
            and message.cseq == request.cseq
            and message.frame.destination == request.frame.source
            and message.frame.source == request.frame.destination
        ):
            return message
    return None


def _mar(evidence: Evidence, registration: Registration | None) -> Hop | None:
    """Return the MAR of an S-CSCF that led to the challenge: the last before it, by the identity registered."""
    if registration is None:
        return None
    identity = digest_parameters(registration.first.header("authorization")).get("username", "")
    public = uri_of(registration.first.header("to"))
    after = registration.first.frame.number
    before = registration.challenge.frame.number if registration.challenge else None
    end = registration.final.frame.number if registration.final else None
    limit = before or end or 1 << 60
    facts = evidence.facts
    found = [
        m
        for m in evidence.capture.diameter
        if m.command_code == MAR and m.is_request and after < m.frame.number < limit
        and facts.role(m.frame.source) == "scscf" and facts.system_of(m.frame.source) == registration.system
        and (m.value(USER_NAME) == identity or m.value(PUBLIC_IDENTITY) == public)
    ]  # fmt: skip
    return Hop(found[-1], _answer(evidence, found[-1])) if found else None


def _answer(evidence: Evidence, request: DiameterMessage) -> DiameterMessage | None:
    """Return the answer on the same connection with the same Hop-by-Hop."""
    for message in evidence.capture.diameter:
        if (
            not message.is_request
            and message.frame.number >= request.frame.number
            and message.frame.stream == request.frame.stream
            and message.hop_by_hop == request.hop_by_hop
            and message.command_code == request.command_code
        ):
            return message
    return None


def _same_transaction(evidence: Evidence, before: Hop | None, leg: str) -> Hop | None:
    """Return the MAR that ``before`` became on another leg: it came next while ``before`` was open.

    The same End-to-End is preferred; without one the next MAR on that leg is taken, for its own check to judge.
    """
    if before is None:
        return None
    end = before.answer.frame.number if before.answer else 1 << 60
    found = [
        m
        for m in evidence.capture.diameter
        if m.command_code == MAR and m.is_request
        and before.request.frame.number < m.frame.number < end
        and leg_of(m.frame, evidence.facts) == leg
    ]  # fmt: skip
    exact = [m for m in found if m.end_to_end == before.request.end_to_end]
    chosen = exact or found
    return Hop(chosen[-1], _answer(evidence, chosen[-1])) if chosen else None


def _service(evidence: Evidence, ue: UeFacts, partner: Registration | None) -> SipMessage | None:
    """Return the first MESSAGE or INVITE that reached the UE in the partner system after its registration."""
    if partner is None or partner.final is None:
        return None
    for message in evidence.capture.sip:
        if (
            message.method in ("MESSAGE", "INVITE")
            and message.frame.number > partner.final.frame.number
            and message.frame.destination in ue.addresses
            and evidence.facts.system_of(message.frame.source) == partner.system
        ):
            return message
    return None
