"""The proxy agent: a request comes in and goes where the table says (RFC 6733 §2.8.2, §6.1).

Synchronous throughout: octets and time come in as arguments, octets leave through ``Wire``.  Whose an identity is,
where a request goes, what is rewritten, and how an answer goes back have a module each.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from diameter_proxy import validation
from diameter_proxy.answer_path import AnswerPath, as_answer_to, experimental_code
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.diameter.wire import apart
from diameter_proxy.forwarding import FAULT, TOO_MANY, UNDELIVERED, Forwarder, Wire
from diameter_proxy.hidden_names import hidden_names
from diameter_proxy.hot_path import (
    ORIGIN_REALM,
    PUBLIC_IDENTITY,
    SLOTS,
    USER_NAME,
    Counters,
    ExpressLane,
    Pending,
    starts_of,
    value_at,
)
from diameter_proxy.identity_map import IdentityMap, LentSet, canonical
from diameter_proxy.look_up import LookUps, Parking
from diameter_proxy.migration import Migration
from diameter_proxy.ownership import Claim, Owner, claim_of_core, claim_of_system, claim_of_user
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.priming import Priming, Waiting
from diameter_proxy.relaying import Relaying
from diameter_proxy.routing import MAR, NAMES, UAR, Refusal, Route, Source, decide, is_for_default_route
from diameter_proxy.server_names import ServerNames
from diameter_proxy.settings import Settings
from diameter_proxy.topology_hiding import TopologyHiding

_NO_PAIR: Final = ExperimentalResultCode.ERROR_IDENTITIES_DONT_MATCH
_JOINED_MAX: Final = 16
_LOOKED_UP: Final = frozenset({(Source.CSCF, UAR), (Source.CSCF, MAR), (Source.PARTNER, MAR)})

_refusal = partial(Refusal, step="10.6.2-5")
_STALE: Final = _refusal("identity map too old", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-4")
_NO_LOOK_UP: Final = _refusal("MMS did not answer in time", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-4")
_ENDING: Final = _refusal("the proxy is about to end", result_code=ResultCode.TOO_BUSY)
_NO_PARTNER: Final = _refusal("no peer of the primary system", result_code=ResultCode.UNABLE_TO_DELIVER)


class Proxy:
    """One proxy agent between CSCFs, HSS, MMS and the proxies of other MC systems."""

    def __init__(
        self,
        settings: Settings,
        neighbours: Neighbours,
        wire: Wire,
        *,
        look_up: Callable[[bytes], None] = lambda identity: None,
        home_deregistration: Callable[[bytes, tuple[bytes, ...]], None] = lambda impi, impus: None,
        used: Callable[[str], None] = lambda binding: None,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        """Take the node to send through, and what to call: for a look-up, an RTR of a migrated user's home, a use."""
        self.identities: Final = IdentityMap()
        self.counters: Final = Counters()
        self.is_draining = False
        """We are about to end: what comes now is answered 3004, what is under way goes on."""
        self.server_names: Final = ServerNames(settings.server_name)
        self.look_ups: Final[LookUps[tuple[str, bytes, float]]] = LookUps(settings.parked_max, settings.look_ups_per_s)
        self.settings = settings
        self.neighbours = neighbours
        self.wire: Final = wire
        self._look_up: Final = look_up
        self._clock: Final = clock
        self._wall_clock: Final = wall_clock
        self._origin_host: Final = settings.origin_host.encode()
        self._route_records = {host: d.ROUTE_RECORD.encode(host) for host in neighbours.by_host}
        hiding = TopologyHiding(settings.origin_host, settings.origin_realm, settings.secret)
        self.migration: Final = Migration(hiding, self.server_names, as_default=settings.hss_as_default)
        self.forwarder: Final = Forwarder(settings, wire, self.counters, clock)
        self.tracer: Final = self.forwarder.tracer
        """Who is followed."""
        self._hide(settings, neighbours)
        self.lane: Final = ExpressLane(
            wire,
            self.identities,
            self.forwarder.pending,
            self.forwarder.duplicates,
            self.forwarder.deadlines,
            self.counters,
            self.server_names,
            used,
            (self.forwarder.refusal_of, self.forwarder.refused_busy),
            hiding.session_ids,
            clock,
            wall_clock,
            settings,
            self.forwarder.not_taken,
        )
        self._answer_path: Final = AnswerPath(
            self.forwarder,
            self.migration,
            self.identities,
            self.server_names,
            self.lane,
            self.counters,
            clock,
            wall_clock,
            self._starts_again,
            used,
            self._fellows,
        )
        self.relaying: Final = Relaying(
            settings, neighbours, wire, self.forwarder, self.server_names, home_deregistration, clock
        )
        self.priming: Final = Priming(settings, neighbours, self.forwarder, wire.next_end_to_end, clock)
        self._log: Final = structlog.get_logger()

    @property
    def pending_count(self) -> int:
        """How many requests wait for their answer."""
        return self.forwarder.pending.count

    @property
    def suppressed_lines(self) -> int:
        """How many log lines the limit has left out."""
        return self.forwarder.limited_log.suppressed_count

    def reconfigure(self, settings: Settings, neighbours: Neighbours) -> None:
        """Take over peers, routes and limits between two messages; who we are, and the secret, stay the same."""
        self.settings, self.neighbours = settings, neighbours
        self._route_records = {host: d.ROUTE_RECORD.encode(host) for host in neighbours.by_host}
        self.migration.as_default = settings.hss_as_default
        self.server_names.configure(settings.server_name)
        self.look_ups.limit(settings.parked_max, settings.look_ups_per_s)
        self.forwarder.reconfigure(settings)
        self._hide(settings, neighbours)
        self.relaying.reconfigure(settings, neighbours)
        self.priming.reconfigure(settings, neighbours)
        self.lane.reconfigure(settings)

    def _hide(self, settings: Settings, neighbours: Neighbours) -> None:
        self.names = hidden_names(settings, neighbours)
        self.forwarder.hide = self.names.leaving if self.names.hides_from_anybody else None

    # --- what the node tells us ------------------------------------------------------------------------------

    def receive(self, peer: str, runs: list[bytes]) -> list[bytes]:
        """Pass on what the express lane takes of the messages of one read of an open peer; return the rest.

        A run is one message or several of equal length, side by side.
        """
        if self.tracer.is_active or self.is_draining or self.names.are_hidden:  # which the lane neither sees nor does
            return apart(runs)
        return self.lane.receive(peer, runs)

    def receive_request(self, peer: str, data: bytes) -> None:
        """Handle a request of an open peer."""
        self._receive(peer, self.names.restored(peer, data), self._clock())

    def receive_answer(self, peer: str, data: bytes) -> None:
        """Handle an answer of a peer."""
        self._answer_path.receive(peer, self.names.restored(peer, data))

    def peer_lost(self, peer: str, *, is_closed: bool) -> None:
        """Take note that a peer is silent, or gone."""
        self.forwarder.peer_lost(peer, is_closed=is_closed)

    def sweep(self, now_s: float) -> None:
        """Look at what is due; to be called every 50 ms."""
        self.forwarder.sweep(now_s)
        self.lane.sweep()

    def peer_connected(self, peer: str) -> None:
        """Take note of another connection: what was asked over the one before is not answered here (RFC 6733 §3)."""
        self.forwarder.pending.orphan(peer)
        self.look_ups.drop(lambda request: request[0] == peer)
        self.priming.drop(peer)

    def peer_opened(self, peer: str, origin_state_id: int | None) -> None:
        """Take note that a peer may be used, and whether it has kept its state (RFC 6733 §8.16)."""
        neighbour = self.neighbours.by_host.get(peer)
        if neighbour is not None and neighbour.source is Source.HSS:
            self.priming.peer_opened(peer, origin_state_id)

    def _fellows(self, peer: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return self.neighbours.fellows(peer, hosts)

    # --- what the feed tells us ------------------------------------------------------------------------------

    def look_up_finished(self, identity: bytes, entry: LentSet | None) -> None:
        """Take the MMS's word on an identity, None when it knows none, and go on with who waited for it."""
        if entry is not None and entry.version > self.identities.version:
            self.identities.apply(entry)
        if identity not in self.identities.lent_to_users:
            self.identities.note_absent(identity, self._clock())
        for peer, data, started_s in self.look_ups.finish(identity):
            self._receive(peer, data, started_s, again=True)

    def look_up_failed(self, identity: bytes, reason: str) -> None:
        """The MMS gave no answer in time: neither yes nor no can be said."""
        self.counters.look_ups_failed += 1
        self.forwarder.limited_log.warning("look-up.failed", peer="mms", reason=reason)
        for peer, data, _ in self.look_ups.finish(identity):
            self.forwarder.refuse(peer, data, _NO_LOOK_UP)

    # --- requests --------------------------------------------------------------------------------------------

    def _receive(self, peer: str, data: bytes, started_s: float, *, again: bool = False) -> None:
        try:
            neighbour = self.neighbours.by_host.get(peer)
            if neighbour is not None:  # else it was taken out of the configuration and is being disconnected
                self._request(neighbour, data, started_s, again)
        except validation.Refused as exc:
            self.forwarder.refuse(peer, data, exc.refusal)
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            self.forwarder.fault(peer, data, "request")
            self.forwarder.refuse(peer, data, FAULT)

    def _request(self, peer: Neighbour, data: bytes, started_s: float, again: bool) -> None:
        """Route a request; ``again`` after a look-up or a UAR, for which it waited."""
        found = validation.read(data, self.settings.avps_max)
        validation.check(data, found, self._origin_host, self.neighbours.realms_for(peer.source))
        command = int.from_bytes(data[5:8], "big")
        if not again:
            self.counters.request(peer.host, peer.source, command)
            if self.is_draining:
                raise validation.Refused(_ENDING)
            refusal = peer.permit.refusal(command, data, found) if peer.permit is not None else None
            if refusal is not None:
                raise validation.Refused(refusal)
        if len(found) > SLOTS and self.settings.has_feed:
            validation.check_once(data, found, command)
        claim = self.claim_of(peer, command, data, found)
        source = self.acts_as(peer, claim)
        if self.tracer.is_active and not again:
            self._trace(peer, command, data, found, claim)
        if claim.missing is not None and not again and self.must_look_up(source, command, claim):
            self._park(peer, data, claim.missing, started_s)
            return
        decision = self.decision(source, command, claim)
        if isinstance(decision, Refusal):
            raise validation.Refused(decision)
        name = decision.name
        self.counters.routed[name] = self.counters.routed.get(name, 0) + 1
        if decision is Route.HSS:
            self.relaying.relay(peer, data, found, command, decision, started_s, self._databases(Source.HSS), claim)
        elif decision is Route.LENT_DATABASE:
            databases = self._databases(self.settings.lent_database)
            self.relaying.relay(peer, data, found, command, decision, started_s, databases, claim)
        elif decision is Route.AGENT:
            self.relaying.by_realm(peer, data, found, command, started_s, claim)
        elif decision is Route.SCSCF:
            self.relaying.to_scscf(peer, data, found, command, claim, started_s)
        else:
            self._migrate(peer, data, found, decision, claim, started_s)

    def claim_of(self, peer: Neighbour, command: int, data: bytes, found: list[int]) -> Claim:
        """Say whose the identities are; a command that no row knows is nobody's."""
        if peer.source is Source.AGENT or (not self.settings.has_feed and peer.source is not Source.PARTNER):
            return Claim(Owner.OWN, None, None, ())
        user_name = value_at(data, found[USER_NAME]) if found[USER_NAME] else None
        publics = [value_at(data, start) for start in starts_of(found, PUBLIC_IDENTITY)]
        if user_name is not None:  # a second User-Name counts in the pair check like any identity
            publics += [value_at(data, start) for start in starts_of(found, USER_NAME)[1:]]
        publics += validation.further_identities(data, found)
        now_s = self._wall_clock()
        if peer.source is Source.CSCF:
            return claim_of_user(self.identities, self.settings.home_domains, user_name, publics, now_s)
        if peer.source is Source.PARTNER:
            origin_realm = value_at(data, found[ORIGIN_REALM]) if found[ORIGIN_REALM] else b""
            return claim_of_system(self.identities, peer.system_of(origin_realm), user_name, publics, now_s)
        return claim_of_core(self.identities, self.settings.home_domains, user_name, publics, now_s)

    def _trace(self, peer: Neighbour, command: int, data: bytes, found: list[int], claim: Claim) -> None:
        decision = self.decision(self.acts_as(peer, claim), command, claim)
        starts = [*starts_of(found, USER_NAME), *starts_of(found, PUBLIC_IDENTITY)]
        self.tracer.request(
            data[16:20],
            [canonical(value_at(data, start)) for start in starts],
            of=peer.host,
            command=NAMES.get(command, str(command)),
            owner=claim.owner.value,
            binding=claim.lent.binding if claim.lent is not None else None,
            decision=decision.reason if isinstance(decision, Refusal) else decision.value,
        )

    def acts_as(self, peer: Neighbour, claim: Claim) -> Source:
        """Say as what a peer is routed: the HSS may be the SIP database of lent identities too."""
        if peer.source is Source.HSS and claim.owner is Owner.LENT and self.settings.lent_database is Source.HSS:
            return Source.MMS
        return peer.source

    def decision(self, source: Source, command: int, claim: Claim) -> Route | Refusal:
        """Return the row of the table that holds, with the default route, and 3002 where the map is too old to say."""
        if self._depends_on_map(source, command, claim):
            return _STALE
        if self.settings.default_route and is_for_default_route(source, command, claim.owner):
            return Route.HSS
        return decide(source, command, claim.owner)

    def _depends_on_map(self, source: Source, command: int, claim: Claim) -> bool:
        """Say whether the map is too old for what it would decide (own users are relayed all the same)."""
        if not self.settings.has_feed or claim.owner in (Owner.OWN, Owner.FOREIGN, Owner.MIXED):
            return False
        if source not in (Source.CSCF, Source.PARTNER) or (source is Source.PARTNER and command != MAR):
            return False
        return self.identities.is_stale(self._clock(), self.settings.map_age_max_s)

    def must_look_up(self, source: Source, command: int, claim: Claim) -> bool:
        """Say whether the MMS is asked about the identity that is missing in the map before anything is decided."""
        assert claim.missing is not None
        if (source, command) not in _LOOKED_UP or not self.settings.has_feed:
            return False
        now_s = self._clock()
        if self.identities.is_stale(now_s, self.settings.map_age_max_s):
            return False
        return not self.identities.is_known_absent(claim.missing, now_s)

    def _park(self, peer: Neighbour, data: bytes, identity: bytes, started_s: float) -> None:
        parking = self.look_ups.park(identity, peer.source, (peer.host, data, started_s), self._clock())
        if parking is Parking.REFUSED:
            raise validation.Refused(TOO_MANY)
        if parking is Parking.ASK:
            self.counters.look_ups += 1
            self._look_up(identity)

    def _databases(self, source: Source) -> tuple[str, ...]:
        return self.neighbours.of_class(source)

    def _migrate(
        self, peer: Neighbour, data: bytes, found: list[int], route: Route, claim: Claim, started_s: float
    ) -> None:
        """Send a MAR of a migrated user on its way, unless the very same is under way or was answered lately."""
        assert claim.lent is not None
        if self._answer_duplicate(peer, data, found):
            return
        now_s = self._clock()
        if route is Route.PARTNER:
            system = claim.lent.other_mc_system
            candidates = self.neighbours.of_system(system)
            if not candidates:
                raise validation.Refused(_NO_PARTNER)
            made = self.migration.request_to_partner(data, found, claim, self.neighbours.realm_of_system[system])
            deadline_s = min(started_s + self.settings.aaa_2_s, now_s + self.settings.csc_y_s)
        else:
            candidates = self._databases(Source.HSS)
            made = self.migration.request_to_hss(data, found, claim, self._route_records[peer.host])
            deadline_s = min(started_s + self.settings.csc_y_s, now_s + self.settings.hss_s)
        if isinstance(made, Refusal):
            raise validation.Refused(made)
        if route is Route.HSS_AS_KNOWN and not self.priming.is_ready(made.identities):
            waiting = (peer.host, data, started_s)
            if not self.priming.begin(made.identities, waiting, candidates, deadline_s, self._go_on):
                raise validation.Refused(TOO_MANY)
            return
        pending = Pending(
            source=peer.host,
            asked=data,
            found=found,
            route=route,
            command=MAR,
            sent=made.octets,
            candidates=candidates,
            started_s=started_s,
            deadline_s=deadline_s,
            lent=claim.lent,
            identities=made.identities,
        )
        self.forwarder.duplicates.begin(pending)
        self.forwarder.start(pending)
        if pending.tried and not self._takes_turns(route, claim.lent):
            self.lane.learn_request(peer.host, pending, claim.lent.other_mc_system, peer.source, peer.permit)

    def _takes_turns(self, route: Route, lent: LentSet) -> bool:
        """Say whether a MAR of this kind is asked something anew each time, and so has no form in the lane."""
        if route is Route.PARTNER:
            return self.neighbours.takes_turns(lent.other_mc_system)
        return self.settings.prime_with_uar or self.neighbours.takes_turns(Source.HSS)

    def _go_on(self, waiting: list[Waiting], uaa: bytes | None) -> None:
        """Send the MARs that waited for a UAA, whatever it says: the HSS answers them itself."""
        for peer, data, started_s in waiting:
            if uaa is None:
                self.forwarder.refuse(peer, data, UNDELIVERED)
            else:
                self._receive(peer, data, started_s, again=True)

    def _starts_again(self, pending: Pending, maa: bytes) -> bool:
        """Say whether the HSS has forgotten a pair (5002) and everything begins anew, with a UAR."""
        if pending.route is not Route.HSS_AS_KNOWN or not self.settings.prime_with_uar:
            return False
        if experimental_code(maa) != _NO_PAIR:
            return False
        if not self.priming.must_repeat(pending.identities, pending.started_s):
            return False
        self.forwarder.settle(pending, None)
        for peer, data in ((pending.source, pending.asked), *pending.joined):
            self._receive(peer, data, pending.started_s, again=True)
        return True

    def _answer_duplicate(self, peer: Neighbour, data: bytes, found: list[int]) -> bool:
        known = self.forwarder.duplicates.find(data, found, self._clock())
        if known is None:
            return False
        if known.is_done:
            self.counters.duplicates_answered += 1
            self.forwarder.reply(peer.host, as_answer_to(known.remembered, data, found))
            return True
        if len(known.joined) < _JOINED_MAX:
            known.joined += ((peer.host, data),)
        self.counters.duplicates_joined += 1
        return True
