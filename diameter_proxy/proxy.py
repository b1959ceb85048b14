"""The proxy agent: a request comes in and goes where the table says (RFC 6733 §2.8.2, §6.1).

Synchronous throughout: octets and time come in as arguments, octets leave through ``Wire``.  Whose an identity is,
where a request goes, what is rewritten, and how an answer goes back have a module each.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from diameter_proxy import validation
from diameter_proxy.answer_path import AnswerPath, as_answer_to
from diameter_proxy.counters import Counters
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.duplicates import duplicate_key
from diameter_proxy.forwarding import FAULT, TOO_MANY, Forwarder, Wire
from diameter_proxy.hot_path import (
    DESTINATION_HOST,
    PUBLIC_IDENTITY,
    ROUTE_RECORD,
    SLOTS,
    USER_NAME,
    Edit,
    splice,
    starts_of,
    value_at,
)
from diameter_proxy.identity_map import IdentityMap, LentSet
from diameter_proxy.look_up import LookUps, Parking
from diameter_proxy.migration import Migration
from diameter_proxy.ownership import Claim, Owner, claim_of_core, claim_of_system, claim_of_user
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.pending import DuplicateKey, Pending
from diameter_proxy.routing import MAR, RTR, SAR, UAR, Refusal, Route, Source, decide
from diameter_proxy.server_names import ServerNames
from diameter_proxy.settings import Settings
from diameter_proxy.topology_hiding import TopologyHiding

_JOINED_MAX: Final = 16
_LOOKED_UP: Final = frozenset({(Source.CSCF, UAR), (Source.CSCF, MAR), (Source.PARTNER, MAR)})

_refusal = partial(Refusal, step="10.6.2-5")
_STALE: Final = _refusal("identity map too old", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-4")
_NO_LOOK_UP: Final = _refusal("MMS did not answer in time", result_code=ResultCode.UNABLE_TO_DELIVER, step="10.6.2-4")
_NO_SUCH_HOST: Final = _refusal("Destination-Host is no open peer", result_code=ResultCode.UNABLE_TO_DELIVER)
_NO_PARTNER: Final = _refusal("no peer of the primary system", result_code=ResultCode.UNABLE_TO_DELIVER)
_NO_HOST: Final = _refusal(
    "Destination-Host is missing", result_code=ResultCode.MISSING_AVP, failed_avp=d.DESTINATION_HOST.example()
)


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
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        """Take the node to send through, and what to call for a look-up and for an RTR of a migrated user's home."""
        self.identities: Final = IdentityMap()
        self.counters: Final = Counters()
        self.server_names: Final = ServerNames(settings.server_name)
        self.look_ups: Final[LookUps[tuple[str, bytes, float]]] = LookUps(settings.parked_max, settings.look_ups_per_s)
        self._settings: Final = settings
        self._neighbours: Final = neighbours
        self._wire: Final = wire
        self._look_up: Final = look_up
        self._home_deregistration: Final = home_deregistration
        self._clock: Final = clock
        self._wall_clock: Final = wall_clock
        self._origin_host: Final = settings.origin_host.encode()
        self._route_records: Final = {host: d.ROUTE_RECORD.encode(host) for host in neighbours.by_host}
        self._migration: Final = Migration(
            TopologyHiding(settings.origin_host, settings.origin_realm, settings.secret),
            self.server_names,
            as_default=settings.hss_as_default,
        )
        self._forwarder: Final = Forwarder(settings, wire, self.counters, clock)
        self._answer_path: Final = AnswerPath(
            self._forwarder,
            self._migration,
            self.identities,
            self.server_names,
            self.counters,
            clock,
            wall_clock,
        )
        self._log: Final = structlog.get_logger()

    @property
    def pending_count(self) -> int:
        """How many requests wait for their answer."""
        return self._forwarder.pending.count

    @property
    def suppressed_lines(self) -> int:
        """How many log lines the limit has left out."""
        return self._forwarder.limited_log.suppressed_count

    # --- what the node tells us ------------------------------------------------------------------------------

    def receive_request(self, peer: str, data: bytes) -> None:
        """Handle a request of an open peer."""
        self._receive(peer, data, self._clock())

    def receive_answer(self, peer: str, data: bytes) -> None:
        """Handle an answer of a peer."""
        self._answer_path.receive(peer, data)

    def peer_lost(self, peer: str, *, is_closed: bool) -> None:
        """Take note that a peer is silent, or gone."""
        self._forwarder.peer_lost(peer, is_closed=is_closed)

    def sweep(self, now_s: float) -> None:
        """Look at what is due; to be called every 50 ms."""
        self._forwarder.sweep(now_s)

    # --- what the feed tells us ------------------------------------------------------------------------------

    def look_up_finished(self, identity: bytes, entry: LentSet | None) -> None:
        """Take the MMS's word on an identity, None when it knows none, and go on with who waited for it."""
        if entry is not None and entry.version > self.identities.version:
            self.identities.apply(entry)
        if identity not in self.identities.lent_to_users:
            self.identities.note_absent(identity, self._clock())
        for peer, data, started_s in self.look_ups.finish(identity):
            self._receive(peer, data, started_s, looked_up=True)

    def look_up_failed(self, identity: bytes, reason: str) -> None:
        """The MMS gave no answer in time: neither yes nor no can be said."""
        self.counters.look_ups_failed += 1
        self._forwarder.limited_log.warning("look-up.failed", peer="mms", reason=reason)
        for peer, data, _ in self.look_ups.finish(identity):
            self._forwarder.refuse(peer, data, _NO_LOOK_UP)

    # --- requests --------------------------------------------------------------------------------------------

    def _receive(self, peer: str, data: bytes, started_s: float, *, looked_up: bool = False) -> None:
        try:
            self._request(self._neighbours.by_host[peer], data, started_s, looked_up)
        except validation.Refused as exc:
            self._forwarder.refuse(peer, data, exc.refusal)
        except Exception:  # noqa: BLE001 - one of the four boundaries in ARCHITECTURE.md
            self._forwarder.fault(peer, data, "request")
            self._forwarder.refuse(peer, data, FAULT)

    def _request(self, peer: Neighbour, data: bytes, started_s: float, looked_up: bool) -> None:
        found = validation.read(data, self._settings.avps_max)
        validation.check(data, found, self._origin_host, self._neighbours)
        command = int.from_bytes(data[5:8], "big")
        self.counters.request(peer.source, command)
        if len(found) > SLOTS and self._settings.has_feed:
            validation.check_once(data, found, command)
        claim = self._claim(peer, command, data, found)
        source = peer.source
        if source is Source.HSS and claim.owner is Owner.LENT and self._settings.lent_database is Source.HSS:
            source = Source.MMS  # the HSS is the SIP database of lent identities too
        if claim.missing is not None and not looked_up and self._must_look_up(source, command, claim):
            self._park(peer, data, claim.missing, started_s)
            return
        decision = decide(source, command, claim.owner)
        if isinstance(decision, Refusal):
            decision = self._foreign_to_default(claim, decision)
        if self._depends_on_map(source, command, claim, decision):
            raise validation.Refused(_STALE)
        if isinstance(decision, Refusal):
            raise validation.Refused(decision)
        name = decision.name
        self.counters.routed[name] = self.counters.routed.get(name, 0) + 1
        if decision is Route.HSS:
            self._relay(peer, data, found, command, decision, started_s, self._databases(Source.HSS), claim)
        elif decision is Route.LENT_DATABASE:
            databases = self._databases(self._settings.lent_database)
            self._relay(peer, data, found, command, decision, started_s, databases, claim)
        elif decision is Route.SCSCF:
            self._to_scscf(peer, data, found, command, claim, started_s)
        else:
            self._migrate(peer, data, found, decision, claim, started_s)

    def _claim(self, peer: Neighbour, command: int, data: bytes, found: list[int]) -> Claim:
        """Say whose the identities are; a command that no row knows is nobody's."""
        if not self._settings.has_feed and peer.source is not Source.PARTNER:
            return Claim(Owner.OWN, None, None, ())
        user_name = value_at(data, found[USER_NAME]) if found[USER_NAME] else None
        publics = [value_at(data, start) for start in starts_of(found, PUBLIC_IDENTITY)]
        if user_name is not None:  # a second User-Name counts in the pair check like any identity
            publics += [value_at(data, start) for start in starts_of(found, USER_NAME)[1:]]
        publics += validation.further_identities(data, found)
        now_s = self._wall_clock()
        if peer.source is Source.CSCF:
            return claim_of_user(self.identities, self._settings.home_domains, user_name, publics, now_s)
        if peer.source is Source.PARTNER:
            return claim_of_system(self.identities, peer.system, user_name, publics, now_s)
        return claim_of_core(self.identities, self._settings.home_domains, user_name, publics, now_s)

    def _foreign_to_default(self, claim: Claim, refusal: Refusal) -> Refusal | Route:
        is_foreign = claim.owner is Owner.FOREIGN and refusal.experimental is not None
        return Route.HSS if is_foreign and self._settings.default_route else refusal

    def _depends_on_map(self, source: Source, command: int, claim: Claim, decision: Route | Refusal) -> bool:
        """Say whether the map is too old for what it would decide (own users are relayed all the same)."""
        if not self._settings.has_feed or claim.owner in (Owner.OWN, Owner.FOREIGN, Owner.MIXED):
            return False
        if source not in (Source.CSCF, Source.PARTNER) or (source is Source.PARTNER and command != MAR):
            return False
        return self.identities.is_stale(self._clock(), self._settings.map_age_max_s)

    def _must_look_up(self, source: Source, command: int, claim: Claim) -> bool:
        assert claim.missing is not None
        if (source, command) not in _LOOKED_UP or not self._settings.has_feed:
            return False
        now_s = self._clock()
        if self.identities.is_stale(now_s, self._settings.map_age_max_s):
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
        return self._neighbours.of_class(source)

    def _relay(
        self,
        peer: Neighbour,
        data: bytes,
        found: list[int],
        command: int,
        route: Route,
        started_s: float,
        candidates: tuple[str, ...],
        claim: Claim,
    ) -> None:
        """Pass a request on unchanged but for Hop-by-Hop and Route-Record."""
        if claim.owner is Owner.FOREIGN:
            candidates = (self._settings.default_route,)
        edits = []
        if found[DESTINATION_HOST]:
            named = value_at(data, found[DESTINATION_HOST]).lower()
            if named == self._origin_host:
                edits.append((found[DESTINATION_HOST], b""))
            elif named.decode("ascii", "replace") in candidates:
                candidates = (named.decode("ascii"),)
            else:
                raise validation.Refused(_NO_SUCH_HOST)
        if found[ROUTE_RECORD]:
            passed = {value_at(data, start).lower() for start in starts_of(found, ROUTE_RECORD)}
            candidates = tuple(host for host in candidates if host.encode() not in passed)
        pending = Pending(
            source=peer.host,
            asked=data,
            found=found,
            route=route,
            command=command,
            sent=splice(data, data[4], 0, edits, self._route_records[peer.host]),
            candidates=candidates,
            started_s=started_s,
            deadline_s=self._clock() + self._settings.hss_s,
        )
        if route is Route.HSS and command in (SAR, UAR) and found[USER_NAME] and claim.user_name:
            pending.learns = claim.user_name
        self._forwarder.start(pending)

    def _to_scscf(
        self, peer: Neighbour, data: bytes, found: list[int], command: int, claim: Claim, started_s: float
    ) -> None:
        """Pass RTR or PPR to the S-CSCF; an RTR for a user who has migrated also ends that (a stolen UE)."""
        is_migrated = command == RTR and claim.lent is not None and claim.owner is Owner.OWN
        if is_migrated and claim.user_name is not None:
            self.counters.home_deregistrations += 1
            self._log.warning("registration.withdrawn", peer=peer.host, reason="RTR of the HSS")
            self._home_deregistration(claim.user_name, claim.public_identities)
        if not found[DESTINATION_HOST]:
            if is_migrated:
                self._forwarder.succeed(peer.host, data)
                return
            raise validation.Refused(_NO_HOST)
        named = value_at(data, found[DESTINATION_HOST]).lower().decode("ascii", "replace")
        edits: list[Edit] = []
        if named == self._settings.origin_host and claim.user_name is not None:
            # An HSS that keeps the Origin-Host of a MAR has kept ours (TS 29.228 §6.3, MAR of a migrated user).
            named = self.server_names.origin_host_of(claim.user_name)
            edits = [(found[DESTINATION_HOST], d.DESTINATION_HOST.encode(named))]
        if named not in self._databases(Source.CSCF) or not self._wire.is_open(named):
            if is_migrated:
                self._forwarder.succeed(peer.host, data)
                return
            raise validation.Refused(_NO_SUCH_HOST)
        budget_s = self._settings.attempt_s if is_migrated else self._settings.aaa_2_s
        self._forwarder.start(
            Pending(
                source=peer.host,
                asked=data,
                found=found,
                route=Route.SCSCF,
                command=command,
                sent=splice(data, data[4], 0, edits, self._route_records[peer.host]),
                candidates=(named,),
                started_s=started_s,
                deadline_s=self._clock() + budget_s,
                answer_when_late=ResultCode.SUCCESS if is_migrated else ResultCode.UNABLE_TO_DELIVER,
            )
        )

    def _migrate(
        self, peer: Neighbour, data: bytes, found: list[int], route: Route, claim: Claim, started_s: float
    ) -> None:
        """Send a MAR of a migrated user on its way, unless the very same is under way or was answered lately."""
        assert claim.lent is not None
        key = duplicate_key(data, found)
        if self._answer_duplicate(peer, data, found, key):
            return
        now_s = self._clock()
        if route is Route.PARTNER:
            system = claim.lent.other_mc_system
            candidates = self._neighbours.of_system(system)
            if not candidates:
                raise validation.Refused(_NO_PARTNER)
            made = self._migration.request_to_partner(data, found, claim, self._neighbours.realm_of_system[system])
            deadline_s = min(started_s + self._settings.aaa_2_s, now_s + self._settings.csc_y_s)
        else:
            candidates = self._databases(Source.HSS)
            made = self._migration.request_to_hss(data, found, claim, self._route_records[peer.host])
            deadline_s = min(started_s + self._settings.csc_y_s, now_s + self._settings.hss_s)
        if isinstance(made, Refusal):
            raise validation.Refused(made)
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
            duplicate_key=key,
        )
        self._forwarder.duplicates.begin(key, pending)
        self._forwarder.start(pending)

    def _answer_duplicate(self, peer: Neighbour, data: bytes, found: list[int], key: DuplicateKey) -> bool:
        pending = self._forwarder.duplicates.pending(key)
        if pending is not None:
            if len(pending.joined) < _JOINED_MAX:
                pending.joined.append((peer.host, data))
            self.counters.duplicates_joined += 1
            return True
        answer = self._forwarder.duplicates.answer(key, self._clock())
        if answer is None:
            return False
        self.counters.duplicates_answered += 1
        self._forwarder.reply(peer.host, as_answer_to(answer, data, found))
        return True
