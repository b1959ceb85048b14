"""Who our peers are, and which of them can serve a request, in which order (RFC 6733 §2.7, §6.1.6, §6.1.7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Final

from diameter_proxy.permits import Permit
from diameter_proxy.routing import Source
from diameter_proxy.routing_rules import Rule, Rules

TURNS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A configured peer: its identity and realm in lower case, its class, and for a partner its MC system.

    Attributes:
        vouches_for: for an agent between us and other systems: the system behind each Origin-Realm.
        priority: the lower is tried before the higher.
        weight: share of the requests among peers of one priority; 0: tried in the order of the configuration.
        permit: what it may ask, and how often; None: what its class may.
        realms: for an agent: the realms beside its own that are reached through it.
        hides_names: whether names of our inside are hidden from it.
        limits: what it may ask and how often, in words, with where the configuration states it.
    """

    host: str
    realm: str
    source: Source
    system: str = ""
    vouches_for: Mapping[bytes, str] = field(default_factory=dict)
    priority: int = 0
    weight: int = 0
    permit: Permit | None = None
    realms: frozenset[bytes] = frozenset()
    hides_names: bool = False
    limits: tuple[str, ...] = ()

    def system_of(self, origin_realm: bytes) -> str:
        """Return the MC system that a request of this peer comes from; empty when the peer may not say so."""
        return self.system or self.vouches_for.get(origin_realm.lower(), "")


class Turns:
    """Orders of preference of some peers, one after the other: each peer is first as often as its weight says."""

    def __init__(self, rows: Iterable[Neighbour]) -> None:
        by_priority: dict[int, list[Neighbour]] = {}
        for row in rows:
            by_priority.setdefault(row.priority, []).append(row)
        tiers = [_tier(by_priority[priority]) for priority in sorted(by_priority)]
        count = min(max((len(tier) for tier in tiers), default=1), TURNS_MAX)
        self._orders: Final = [
            tuple(host for tier in tiers for host in tier[turn % len(tier)]) for turn in range(count)
        ]
        self._turn = -1

    @property
    def is_one(self) -> bool:
        """Whether the order is always the same."""
        return len(self._orders) == 1

    def next(self) -> tuple[str, ...]:
        """Return the peers, the one whose turn it is first."""
        if self.is_one:
            return self._orders[0]
        self._turn = (self._turn + 1) % len(self._orders)
        return self._orders[self._turn]


class Neighbours:
    """The configured peers by name, class and MC system, in order of preference."""

    def __init__(self, neighbours: Iterable[Neighbour], origin_realm: str, rules: Iterable[Rule] = ()) -> None:
        rows = tuple(neighbours)
        self.rules: Final = Rules(rules)
        self.by_host: Final[Mapping[str, Neighbour]] = {row.host: row for row in rows}
        self._of_class: Final = {source: Turns(row for row in rows if row.source is source) for source in Source}
        of_system: dict[str, list[Neighbour]] = {}
        self.realm_of_system: dict[str, str] = {}
        for row in rows:
            reached = {row.system: row.realm} if row.system else {}
            reached |= {system: realm.decode() for realm, system in row.vouches_for.items()}
            for system, realm in reached.items():
                of_system.setdefault(system, []).append(row)
                self.realm_of_system.setdefault(system, realm)
        self._of_system: Final = {system: Turns(found) for system, found in of_system.items()}
        databases = (row.realm.encode() for row in rows if row.source in (Source.HSS, Source.MMS))
        self.served_realms: Final = frozenset((origin_realm.encode(), *databases))
        """Realms that requests from inside may name."""
        toward: dict[bytes, list[Neighbour]] = {}
        for row in rows:
            if row.source is Source.AGENT:
                for name in {row.realm.encode(), *row.realms}:
                    toward.setdefault(name, []).append(row)
        self._toward: Final = {name: Turns(found) for name, found in toward.items()}
        self._agents_realms: Final = frozenset(toward)

    def realms_for(self, source: Source) -> frozenset[bytes]:
        """Return the realms that a request of this class may name (RFC 6733 §6.1.6)."""
        return self._agents_realms if source is Source.AGENT else self.served_realms

    def fellows(self, host: str, hosts: Iterable[str]) -> tuple[str, ...]:
        """Return which of these are peers that may stand for one of ours: of its class and its system."""
        one = self.by_host.get(host)
        others = (self.by_host.get(other) for other in hosts)
        return tuple(
            other.host
            for other in others
            if one is not None and other is not None and (other.source, other.system) == (one.source, one.system)
        )

    def toward(self, realm: bytes) -> tuple[str, ...]:
        """Return the agents that lead to a realm, in the order for the next request."""
        turns = self._toward.get(realm.lower())
        return turns.next() if turns is not None else ()

    def of_class(self, source: Source) -> tuple[str, ...]:
        """Return the peers of a class, in the order for the next request."""
        return self._of_class[source].next()

    def of_system(self, system: str) -> tuple[str, ...]:
        """Return the peers by which another MC system is reached, in the order for the next request."""
        turns = self._of_system.get(system)
        return turns.next() if turns is not None else ()

    def takes_turns(self, of: Source | str) -> bool:
        """Say whether the order of the peers of a class, or of another MC system, changes from request to request."""
        turns = self._of_class.get(of) if isinstance(of, Source) else self._of_system.get(of)
        return turns is not None and not turns.is_one


def _tier(rows: list[Neighbour]) -> list[tuple[str, ...]]:
    """Return the orders of peers of one priority: by turns as their weights say, those without weight last."""
    shared = [row for row in rows if row.weight]
    rest = tuple(row.host for row in rows if not row.weight)
    if not shared:
        return [rest]
    divisor = gcd(*(row.weight for row in shared))
    weights = {row.host: row.weight // divisor for row in shared}
    total, credit = sum(weights.values()), dict.fromkeys(weights, 0)
    orders = []
    for _ in range(min(total, TURNS_MAX)):
        for host, weight in weights.items():
            credit[host] += weight
        first = max(credit, key=lambda host: credit[host])
        credit[first] -= total
        others = sorted((host for host in weights if host != first), key=lambda host: -credit[host])
        orders.append((first, *others, *rest))
    return orders
