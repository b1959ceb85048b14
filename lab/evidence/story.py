"""The capture as stories: for each UE, the exchanges that are the steps of 10.1.X.1, 10.6.1 and 10.6.2.

A UE has one story for each registration with a partner, one for each request for connection details that led to
none, and one for each later registration at home.  Only finds; judges nothing.  A message is found by what names it
(addresses, path, End-to-End, Call-ID), so that a changed value is seen by the check of its own step instead of making
the message invisible.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

from lab.evidence.facts import RunFacts, UeFacts
from lab.evidence.index import MAR, NEVER, Exchange, Hop, Index, between
from lab.evidence.messages import Capture, SipMessage
from lab.evidence.sightings import Sightings
from lab.evidence.texts import JWT_BEARER, TOKEN_EXCHANGE, digest_parameters, form_of, is_registering, uri_of

CSC_4_PATH: Final = "/csc-4/v1/partner-mc-system-connection-details"
PRIMARY_SET_PATH: Final = "/csc-x/v1/primary-mc-system-sip-identities"
PARTNER_SET_PATH: Final = "/csc-x/v1/partner-mc-system-sip-identities"
CSC_17_PATH: Final = "/csc-17/v1/partner-mc-system-access"


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration of a UE: the first REGISTER, and the challenge, answer and final response that ended it.

    ``renews``: it has the Call-ID of an earlier registration that ended with 200.
    """

    first: SipMessage
    challenge: SipMessage | None
    answer: SipMessage | None
    final: SipMessage | None
    system: str
    renews: bool = False

    @property
    def identities(self) -> tuple[str, str]:
        """IMPI and IMPU of the first REGISTER."""
        given = digest_parameters(self.first.header("authorization"))
        return given.get("username", ""), uri_of(self.first.header("to"))


class LentSets(NamedTuple):
    """The primary migration set and the partner set, each as (IMPI, IMPU, ...); empty when unknown.

    ``by_hand``: no steps 4 to 11 were captured; the feed of the partner's MMS told them.
    """

    primary: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    by_hand: bool = False


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
    sets: LentSets = field(default=LentSets())
    aaa_2: Hop | None = None
    csc_y_path: tuple[Hop, ...] = ()
    hss_path: tuple[Hop, ...] = ()
    service: SipMessage | None = None
    service_answer: SipMessage | None = None

    @property
    def csc_y(self) -> Hop | None:
        """The MAR as the partner's proxy sent it, and the MAA that came back to it."""
        return self.csc_y_path[0] if self.csc_y_path else None

    @property
    def hss(self) -> Hop | None:
        """The MAR as it reached the SIP database, and its MAA."""
        return self.hss_path[-1] if self.hss_path else None


@dataclass(frozen=True)
class Evidence:
    """The capture with its facts: what every check is given."""

    capture: Capture
    facts: RunFacts
    index: Index
    stories: tuple[Story, ...] = ()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every HTTP exchange, in the order of requests."""
        return self.index.exchanges

    @cached_property
    def sightings(self) -> Sightings:
        """Where each identity of the run was seen."""
        identities: set[str] = set()
        for story in self.stories:
            identities |= {story.ue.private_user_identity, *story.ue.public_user_identities}
            identities |= {*story.sets.primary, *story.sets.partner}
        return Sightings(self.capture, self.facts, identities)

    @cached_property
    def given(self) -> dict[str, set[tuple[str, str]]]:
        """Identity of a primary migration set -> to whom it was given: (default IMPI, partner system)."""
        owners: dict[str, set[tuple[str, str]]] = {}
        for exchange in self.index.at(PRIMARY_SET_PATH):
            body = exchange.request.json()
            default = identity_set(body.get("default_identities"))
            owner = (default[0] if default else "", str(body.get("partner_mc_system")))
            for identity in identity_set(exchange.answer().get("primary_mc_system_sip_identities")):
                owners.setdefault(identity, set()).add(owner)
        return owners

    @cached_property
    def bound_first(self) -> dict[tuple[str, ...], int]:
        """Primary migration set -> frame in which the partner was first asked for a counterpart of it (step 9)."""
        first: dict[tuple[str, ...], int] = {}
        for exchange in self.index.at(PARTNER_SET_PATH):
            lent = identity_set(exchange.request.json().get("primary_mc_system_sip_identities"))
            first.setdefault(lent, exchange.request.frame.number)
        return first


def read_stories(capture: Capture, facts: RunFacts) -> Evidence:
    """Return the evidence with the stories of each UE of the run."""
    index = Index(capture, facts)
    reader = _Reader(index, facts)
    return Evidence(capture, facts, index, tuple(story for ue in facts.ues for story in reader.stories(ue)))


def stories_of(index: Index, facts: RunFacts, ue: UeFacts, sets: LentSets) -> list[Story]:
    """Return the stories of one UE that was lent ``sets`` by hand, from an index of its own messages."""
    return _Reader(index, facts, {sets.partner[0]: sets}).stories(ue)


def identity_set(value: object) -> tuple[str, ...]:
    """Return an ``IdentitySet`` body as (IMPI, IMPU, ...); empty when it is none."""
    if not isinstance(value, dict):
        return ()
    private, public = value.get("private_user_identity"), value.get("public_user_identities")
    return (str(private), *map(str, public)) if private and isinstance(public, list) else ()


class _Reader:
    """Finds the stories of each UE."""

    def __init__(self, index: Index, facts: RunFacts, fed: Mapping[str, LentSets] | None = None) -> None:
        self._index = index
        self._facts = facts
        self._details: dict[str, list[Exchange]] = {}
        self._tokens: dict[str, list[Exchange]] = {}
        for exchange in index.at(CSC_4_PATH):
            self._details.setdefault(exchange.request.frame.source, []).append(exchange)
        for exchange in index.at("/token"):
            self._tokens.setdefault(exchange.request.frame.source, []).append(exchange)
        self._fed = dict(_fed_sets(index)) if fed is None else fed

    def stories(self, ue: UeFacts) -> list[Story]:
        """Return the stories of one UE, at least one."""
        chains = [self._chain(ue, details) for details in self._of(self._details, ue)]
        registered = list(self._registrations(ue))
        homes = [one for one in registered if one.system == ue.system]
        first = self._at_home(Story(ue, authentication=self._authentication(ue)), homes[0] if homes else None)
        found: list[Story] = []
        followed: set[int] = set()
        for one in registered:
            if one.system != ue.system:
                chain = self._chain_of(one, chains)
                if chain is not None:
                    followed.add(id(chain))
                found.append(self._migrated(_with(first, chain), one))
        found += [_with(first, chain) for chain in chains if id(chain) not in followed]
        found += [self._at_home(Story(ue), home) for home in homes[1:]]
        return found or [first]

    def _of(self, exchanges: dict[str, list[Exchange]], ue: UeFacts) -> list[Exchange]:
        found = [exchange for address in set(ue.addresses) for exchange in exchanges.get(address, ())]
        return sorted(found, key=lambda exchange: exchange.request.frame.number)

    def _authentication(self, ue: UeFacts) -> Exchange | None:
        return _first(
            x
            for x in self._of(self._tokens, ue)
            if self._facts.system_of(x.request.frame.destination) == ue.system
            and form_of(x.request).get("grant_type") in ("password", "authorization_code")
        )

    def _chain(self, ue: UeFacts, details: Exchange) -> Story:
        """Return the exchanges of 10.1.X.1 that a request for connection details led to."""
        primary_set = self._primary_set(ue, details)
        access = self._caused(primary_set, CSC_17_PATH, until=details)
        partner_set = self._caused(access, PARTNER_SET_PATH, until=access)
        sets = LentSets(
            identity_set(partner_set.request.json().get("primary_mc_system_sip_identities")) if partner_set else (),
            identity_set(partner_set.answer().get("partner_mc_system_sip_identities")) if partner_set else (),
        )
        return Story(ue, details=details, primary_set=primary_set, access=access, partner_set=partner_set, sets=sets)

    def _primary_set(self, ue: UeFacts, details: Exchange) -> Exchange | None:
        """Return steps 4 and 6: the CSC-X exchange of the UE's own system while its step 1 was open, for its user."""
        candidates = [
            x
            for x in self._index.at_within(PRIMARY_SET_PATH, details.request.frame.time_s, _ended_s(details))
            if self._facts.system_of(x.request.frame.destination) == ue.system
        ]
        return _for_users(candidates, details)

    def _caused(self, cause: Exchange | None, path: str, *, until: Exchange | None) -> Exchange | None:
        """Return the exchange with ``path`` that ``cause`` led to: the same users, before ``until`` was answered."""
        if cause is None or until is None:
            return None
        return _for_users(self._index.at_within(path, cause.request.frame.time_s, _ended_s(until)), cause)

    def _chain_of(self, registration: Registration, chains: Sequence[Story]) -> Story | None:
        """Return the last answered request for connection details of the system before a registration in it."""
        found = None
        for chain in chains:
            assert chain.details is not None
            system = self._facts.system_of(chain.access.request.frame.destination) if chain.access else ""
            if system == registration.system and chain.details.request.frame.number < registration.first.frame.number:
                found = chain
        return found

    def _registrations(self, ue: UeFacts) -> Iterator[Registration]:
        """Yield the UE's registrations in order: each up to the final response that is no challenge."""
        ongoing: dict[str, Registration] = {}
        asked: set[tuple[str, tuple[int, str]]] = set()
        done: set[str] = set()
        for request in self._index.sent(ue.addresses, "REGISTER"):
            system = self._facts.system_of(request.frame.destination)
            if not is_registering(request) or self._facts.role(request.frame.destination) != "pcscf":
                continue
            if (request.call_id, request.cseq) in asked:
                continue  # a retransmission
            asked.add((request.call_id, request.cseq))
            before = ongoing.pop(system, None)
            reply = self._index.reply_to(request)
            is_answer = bool(digest_parameters(request.header("authorization")).get("nonce"))
            if before is not None and not is_answer:
                yield before
                before = None
            if before is None:
                now = Registration(request, None, None, None, system, renews=request.call_id in done)
            else:
                now = replace(before, answer=request)
            if reply is not None and reply.status == 401:
                ongoing[system] = replace(now, challenge=reply)
                continue
            if reply is not None and reply.status == 200:
                done.add(request.call_id)
            yield replace(now, final=reply)
        yield from ongoing.values()

    def _at_home(self, story: Story, home: Registration | None) -> Story:
        return replace(story, home=home, home_mar=self._mar(home))

    def _migrated(self, story: Story, partner: Registration) -> Story:
        aaa_2 = self._mar(partner)
        csc_y = self._same_transaction(aaa_2, "csc-y")
        hss = self._same_transaction(csc_y[0] if csc_y else None, "hss")
        service = self._service(story.ue, partner)
        tokens = self._of(self._tokens, story.ue)
        grants = [x for x in tokens if form_of(x.request).get("grant_type") == JWT_BEARER]
        exchanged = [x for x in tokens if form_of(x.request).get("grant_type") == TOKEN_EXCHANGE]
        grant = _latest((x for x in grants if self._is_in(x, partner.system)), partner.first.frame.number)
        return replace(
            story,
            partner=partner,
            sets=story.sets if story.sets.partner else self._fed.get(partner.identities[0], LentSets()),
            token_exchange=_latest(exchanged, grant.request.frame.number if grant else NEVER),
            partner_token=grant,
            aaa_2=aaa_2,
            csc_y_path=csc_y,
            hss_path=hss,
            service=service,
            service_answer=self._index.reply_to(service),
        )

    def _is_in(self, exchange: Exchange, system: str) -> bool:
        return self._facts.system_of(exchange.request.frame.destination) == system

    def _mar(self, registration: Registration | None) -> Hop | None:
        """Return the MAR of an S-CSCF that led to the challenge: the last before it, by the identity registered."""
        if registration is None:
            return None
        end = registration.challenge or registration.final
        after, before = registration.first.frame.number, end.frame.number if end else NEVER
        found = [
            m
            for m in self._index.requests_for(MAR, registration.identities, after, before)
            if self._facts.role(m.frame.source) == "scscf"
            and self._facts.system_of(m.frame.source) == registration.system
        ]
        return self._index.hop(found[-1]) if found else None

    def _same_transaction(self, before: Hop | None, leg: str) -> tuple[Hop, ...]:
        """Return the MAR that ``before`` became on another leg, hop by hop: it came while ``before`` was open.

        More than one hop where agents stand between (NOTE 2, NOTE 3 of 10.6.2).  The same
        End-to-End is preferred; without one the next MAR on that leg is taken, for its own check to judge.
        """
        if before is None:
            return ()
        start, end = before.request.frame.number, before.answer.frame.number if before.answer else NEVER
        found = self._index.mars_of(before.request.end_to_end, leg, start, end)
        if not found:
            found = [m for m in between(self._index.diameter(leg, MAR), start, end) if m.is_request]
        path = list(found[-1:])
        for message in reversed(found[:-1]):  # what was tried in vain led to another host
            if message.frame.destination == path[0].frame.source:
                path.insert(0, message)
        return tuple(self._index.hop(message) for message in path)

    def _service(self, ue: UeFacts, partner: Registration) -> SipMessage | None:
        """Return the first MESSAGE or INVITE that reached the UE in the partner system after its registration."""
        if partner.final is None or partner.final.status != 200:
            return None
        for message in self._index.received(ue.addresses, ("MESSAGE", "INVITE"), partner.final.frame.number):
            if self._facts.system_of(message.frame.source) == partner.system:
                return message
        return None


def _with(first: Story, chain: Story | None) -> Story:
    """Return the story of a UE with the exchanges of one request for connection details."""
    if chain is None:
        return first
    return replace(chain, authentication=first.authentication, home=first.home, home_mar=first.home_mar)


def _fed_sets(index: Index) -> Iterator[tuple[str, LentSets]]:
    """Yield partner IMPI and both sets of each binding that a partner's MMS fed to its proxies."""
    for exchange in index.exchanges:
        if not exchange.request.path.startswith("/feed/v1/"):
            continue
        body: dict[str, Any] = exchange.answer()
        entries = body.get("entries", [body])
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("role") == "partner":
                partner, primary = identity_set(entry.get("identities")), identity_set(entry.get("counterpart"))
                if partner and primary:
                    yield partner[0], LentSets(primary, partner, by_hand=True)


def _for_users(candidates: Sequence[Exchange], cause: Exchange) -> Exchange | None:
    """Return the first exchange for the MC users of ``cause``, else the first."""
    users = _users(cause)
    return _first(x for x in candidates if users & _users(x)) or _first(candidates)


def _users(exchange: Exchange) -> set[str]:
    users = exchange.request.json().get("mc_service_ids", ())
    return set(map(str, users)) if isinstance(users, list) else set()


def _ended_s(exchange: Exchange) -> float:
    return exchange.response.frame.time_s if exchange.response else float("inf")


def _first(found: Iterable[Exchange]) -> Exchange | None:
    return next(iter(found), None)


def _latest(found: Iterable[Exchange], before: int) -> Exchange | None:
    """Return the last exchange before a frame, else the first."""
    items = list(found)
    earlier = [x for x in items if x.request.frame.number < before]
    return earlier[-1] if earlier else _first(items)
