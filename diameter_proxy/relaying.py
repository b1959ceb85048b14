"""Requests that pass unchanged: to the HSS, to the database of lent sets, to the S-CSCF, from agent to agent.

Hop-by-Hop changes and Route-Record is added; nothing is mapped (RFC 6733 §6.1.5 to §6.1.9).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from diameter_proxy import validation
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.forwarding import Forwarder, Wire
from diameter_proxy.hot_path import (
    DESTINATION_HOST,
    DESTINATION_REALM,
    ROUTE_RECORD,
    USER_NAME,
    Edit,
    Pending,
    splice,
    starts_of,
    value_at,
)
from diameter_proxy.ownership import Claim, Owner
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.routing import RTR, SAR, UAR, Refusal, Route, Source
from diameter_proxy.server_names import ServerNames
from diameter_proxy.settings import Settings

_refusal = partial(Refusal, step="10.6.2-5")
_NO_SUCH_HOST: Final = _refusal("Destination-Host is no open peer", result_code=ResultCode.UNABLE_TO_DELIVER)
_NO_HOST: Final = _refusal(
    "Destination-Host is missing", result_code=ResultCode.MISSING_AVP, failed_avp=d.DESTINATION_HOST.example()
)


class Relaying:
    """Sends on what is not mapped."""

    def __init__(
        self,
        settings: Settings,
        neighbours: Neighbours,
        wire: Wire,
        forwarder: Forwarder,
        server_names: ServerNames,
        home_deregistration: Callable[[bytes, tuple[bytes, ...]], None],
        clock: Callable[[], float],
    ) -> None:
        """Take what to call when the HSS de-registers a user who has migrated."""
        self._settings = settings
        self._neighbours = neighbours
        self._wire: Final = wire
        self._forwarder: Final = forwarder
        self._server_names: Final = server_names
        self._home_deregistration: Final = home_deregistration
        self._clock: Final = clock
        self._origin_host: Final = settings.origin_host.encode()
        self._route_records = {host: d.ROUTE_RECORD.encode(host) for host in neighbours.by_host}
        self._log: Final = structlog.get_logger()

    def reconfigure(self, settings: Settings, neighbours: Neighbours) -> None:
        """Take over other peers and settings."""
        self._settings, self._neighbours = settings, neighbours
        self._route_records = {host: d.ROUTE_RECORD.encode(host) for host in neighbours.by_host}

    def relay(
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
        if route is Route.HSS and self._neighbours.rules:
            rule = self._neighbours.rules.first(command, data, found)
            candidates = candidates if rule is None else rule.peers
        edits = []
        if found[DESTINATION_HOST]:
            named = value_at(data, found[DESTINATION_HOST]).lower()
            if named == self._origin_host:
                edits.append((found[DESTINATION_HOST], b""))
            elif named.decode("ascii", "replace") in candidates:
                candidates = (named.decode("ascii"),)
            elif route is not Route.AGENT:  # else it is the peer of an agent further on
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
            deadline_s=self._clock() + (self._settings.csc_y_s if route is Route.AGENT else self._settings.hss_s),
        )
        if route is Route.HSS and command in (SAR, UAR) and found[USER_NAME] and claim.user_name:
            pending.learns = claim.user_name
        self._forwarder.start(pending)

    def by_realm(
        self, peer: Neighbour, data: bytes, found: list[int], command: int, started_s: float, claim: Claim
    ) -> None:
        """Pass an agent's request to the peer that it names, else to one toward its realm (RFC 6733 §6.1.5, §6.1.6)."""
        candidates, _ = self.toward(peer, data, found, command)
        self.relay(peer, data, found, command, Route.AGENT, started_s, candidates, claim)

    def toward(
        self, peer: Neighbour, data: bytes, found: list[int], command: int
    ) -> tuple[tuple[str, ...], str | None]:
        """Return who may get an agent's request, the sender never, and the rule that says so."""
        neighbours = self._neighbours
        if found[DESTINATION_HOST]:
            named = neighbours.by_host.get(value_at(data, found[DESTINATION_HOST]).lower().decode("ascii", "replace"))
            if named is not None and named.source is Source.AGENT:
                return (named.host,), None
        rule = neighbours.rules.first(command, data, found)
        led = rule.peers if rule is not None else neighbours.toward(value_at(data, found[DESTINATION_REALM]))
        return tuple(host for host in led if host != peer.host), rule.name if rule is not None else None

    def to_scscf(
        self, peer: Neighbour, data: bytes, found: list[int], command: int, claim: Claim, started_s: float
    ) -> None:
        """Pass RTR or PPR to the S-CSCF; an RTR for a user who has migrated also ends that (a stolen UE)."""
        is_migrated = command == RTR and claim.lent is not None and claim.owner is Owner.OWN
        if is_migrated and claim.user_name is not None:
            self._forwarder.counters.home_deregistrations += 1
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
            named = self._server_names.origin_host_of(claim.user_name)
            edits = [(found[DESTINATION_HOST], d.DESTINATION_HOST.encode(named))]
        if named not in self._neighbours.of_class(Source.CSCF) or not self._wire.is_open(named):
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
