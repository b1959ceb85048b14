"""Answers to people: which row routes what, what is under way, and what would become of a message (docs).

Nothing here is on the path of a message; nothing is sent, counted or looked up at the MMS.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from diameter_proxy import validation
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.dictionary import BY_KEY
from diameter_proxy.diameter.wire import walk_avps
from diameter_proxy.hot_path import splice
from diameter_proxy.ownership import Claim, Owner
from diameter_proxy.peers import Neighbour
from diameter_proxy.proxy import Proxy
from diameter_proxy.routing import NAMES, TABLE, Refusal, Route, Source, is_for_default_route

PENDING_SHOWN: Final = 1000


class Explanations:
    """What a proxy does, in words."""

    def __init__(self, proxy: Proxy, clock: Callable[[], float]) -> None:
        self._proxy: Final = proxy
        self._clock: Final = clock

    def pending(self) -> list[dict[str, object]]:
        """Return what is under way, the oldest first, without identities."""
        now_s, forwarder = self._clock(), self._proxy.forwarder
        return [
            {**forwarder.described(pending, ""), "waited_s": round(now_s - pending.started_s, 3)}
            for pending in forwarder.pending.oldest(PENDING_SHOWN)
        ]

    def routes(self) -> list[dict[str, object]]:
        """Return the routing table, with the open peers that would serve each row, in order of preference.

        A row that is refused has its code and the reason in ``refused``.
        """
        return [self._row(source, command, owner) for source, command, owner in TABLE]

    def _row(self, source: Source, command: int, owner: Owner) -> dict[str, object]:
        default_route, row = self._proxy.settings.default_route, TABLE[source, command, owner]
        whose = "any" if source is Source.AGENT else owner.value
        told: dict[str, object] = {"source": source.value, "command": NAMES[command], "owner": whose}
        if default_route and is_for_default_route(source, command, owner):
            return {**told, "decision": Route.HSS.value, "peers": self._open((default_route,))}
        if isinstance(row, Refusal):
            return {**told, "decision": row.reason, "peers": [], "refused": _refused(row)["refused"]}
        return {**told, "decision": row.value, "peers": self._open(self._serving(row, None))}

    def message(self, peer: str, data: bytes) -> dict[str, Any]:
        """Say what would become of a request of this peer: the row, the rule, the peers, what would be changed."""
        proxy = self._proxy
        neighbour = proxy.neighbours.by_host.get(peer.lower())
        if neighbour is None:
            return {"refused": f"{peer} is no peer of ours: 3010 at its CER"}
        restored = proxy.names.restored(neighbour.host, data)
        told: dict[str, Any] = {} if restored == data else {"restored": changes_between(data, restored)}
        limits = {"limits": list(neighbour.limits)} if neighbour.limits else {}
        data = restored
        try:
            found = validation.read(data, proxy.settings.avps_max)
            validation.check(
                data, found, proxy.settings.origin_host.encode(), proxy.neighbours.realms_for(neighbour.source)
            )
            command = int.from_bytes(data[5:8], "big")
            forbidden = neighbour.permit.forbids(command, data, found) if neighbour.permit is not None else None
            if forbidden is not None:
                return {**_refused(forbidden), **limits}
            if proxy.settings.has_feed:
                validation.check_once(data, found, command)
            claim = proxy.claim_of(neighbour, command, data, found)
        except validation.Refused as exc:
            return _refused(exc.refusal)
        told |= limits | {
            "source": neighbour.source.value,
            "command": NAMES.get(command, str(command)),
            "owner": None if neighbour.source is Source.AGENT else claim.owner.value,
            "binding": claim.lent.binding if claim.lent is not None else None,
            "map": self._state_of_map(),
        }
        source = proxy.acts_as(neighbour, claim)
        if claim.missing is not None and proxy.must_look_up(source, command, claim):
            told["look-up"] = "the MMS is asked first: the identity lies in the lent range and is not in the map"
        decision = proxy.decision(source, command, claim)
        if isinstance(decision, Refusal):
            return {**told, **_refused(decision)}
        return {**told, **self._route(neighbour, decision, command, data, found, claim)}

    def _route(
        self, neighbour: Neighbour, route: Route, command: int, data: bytes, found: list[int], claim: Claim
    ) -> dict[str, Any]:
        proxy = self._proxy
        rule = proxy.neighbours.rules.first(command, data, found) if route is Route.HSS else None
        peers, name = rule.peers if rule is not None else self._serving(route, claim), rule.name if rule else None
        if rule is None and route is Route.HSS and claim.owner is Owner.FOREIGN:
            peers, name = (proxy.settings.default_route,), "routing.default_route"
        if route is Route.AGENT:
            peers, name = proxy.relaying.toward(neighbour, data, found, command)
        told = {"decision": route.value, "rule": name, "peers": list(peers)}
        told["open"] = self._open(peers)
        if route is Route.PARTNER and claim.lent is not None:
            realm = proxy.neighbours.realm_of_system.get(claim.lent.other_mc_system, "")
            made = proxy.migration.request_to_partner(data, found, claim, realm)
        elif route is Route.HSS_AS_KNOWN:
            made = proxy.migration.request_to_hss(data, found, claim, b"")
        else:
            return {**told, "changes": {"Route-Record": "added"}, **self._hidden_from(neighbour, peers, data)}
        if isinstance(made, Refusal):
            return {**told, **_refused(made)}
        return {**told, "changes": changes_between(data, made.octets)}

    def _hidden_from(self, neighbour: Neighbour, peers: tuple[str, ...], data: bytes) -> dict[str, Any]:
        """Say, for each peer that names are hidden from, which AVPs it would see otherwise than they are."""
        names = self._proxy.names
        passed = splice(data, data[4], 0, (), d.ROUTE_RECORD.encode(neighbour.host))
        hidden = {peer: changes_between(passed, names.hidden(passed)) for peer in peers if names.hides_from(peer)}
        return {"hidden": hidden} if hidden else {}

    def _serving(self, route: Route, claim: Claim | None) -> tuple[str, ...]:
        neighbours = self._proxy.neighbours
        match route:
            case Route.HSS | Route.HSS_AS_KNOWN:
                return neighbours.of_class(Source.HSS)
            case Route.LENT_DATABASE:
                return neighbours.of_class(self._proxy.settings.lent_database)
            case Route.SCSCF:
                return neighbours.of_class(Source.CSCF)
            case Route.AGENT:
                return neighbours.of_class(Source.AGENT)
            case Route.PARTNER:
                lent = claim.lent if claim is not None else None
                return neighbours.of_system(lent.other_mc_system) if lent else neighbours.of_class(Source.PARTNER)

    def _open(self, peers: tuple[str, ...]) -> list[str]:
        return [peer for peer in peers if self._proxy.wire.is_open(peer)]

    def _state_of_map(self) -> str | None:
        settings, identities, now_s = self._proxy.settings, self._proxy.identities, self._clock()
        if not settings.has_feed:
            return None
        if not identities.is_stale(now_s, settings.map_age_max_s):
            return "fresh"
        state = "none read yet" if identities.age_s(now_s) is None else "too old"
        return f"{state}: lent identities are answered 3002"


def changes_between(before: bytes, after: bytes) -> dict[str, str]:
    """Return, by the name of the AVP, whether it would be rewritten, removed or added; no values."""
    old, new = _by_name(before), _by_name(after)
    changes = {}
    for name in (*old, *(name for name in new if name not in old)):
        left, right = Counter(old.get(name, ())), Counter(new.get(name, ()))
        if left == right:
            continue
        count_before, count_after = left.total(), right.total()
        changes[name] = (
            "rewritten" if count_before == count_after else "removed" if count_after < count_before else "added"
        )
    return changes


def _by_name(octets: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for span in walk_avps(octets):
        avp = BY_KEY.get((span.code, span.vendor_id))
        name = avp.name if avp is not None else f"AVP {span.code} of vendor {span.vendor_id}"
        found.setdefault(name, []).append(octets[span.start : span.next])
    return found


def _refused(refusal: Refusal) -> dict[str, Any]:
    code = refusal.result_code if refusal.result_code is not None else f"experimental {refusal.experimental}"
    return {"refused": f"{code}: {refusal.reason}", "step": refusal.step}
