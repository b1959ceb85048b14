"""Who our peers are, and which of them can serve a request (RFC 6733 §2.7, §6.1.6, §6.1.7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from diameter_proxy.routing import Source


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A configured peer: its identity and realm in lower case, its class, and for a partner its MC system."""

    host: str
    realm: str
    source: Source
    system: str = ""


class Neighbours:
    """The configured peers by name, class and MC system, in order of preference."""

    def __init__(self, neighbours: Iterable[Neighbour], origin_realm: str) -> None:
        rows = tuple(neighbours)
        self.by_host: Final[Mapping[str, Neighbour]] = {row.host: row for row in rows}
        self._of_class: Final = {source: tuple(r.host for r in rows if r.source is source) for source in Source}
        self._of_system: dict[str, tuple[str, ...]] = {}
        self.realm_of_system: dict[str, str] = {}
        for row in rows:
            if row.source is Source.PARTNER:
                self._of_system[row.system] = (*self._of_system.get(row.system, ()), row.host)
                self.realm_of_system.setdefault(row.system, row.realm)
        databases = (row.realm.encode() for row in rows if row.source in (Source.HSS, Source.MMS))
        self.served_realms: Final = frozenset((origin_realm.encode(), *databases))
        """Realms that requests from inside may name."""

    def of_class(self, source: Source) -> tuple[str, ...]:
        """Return the peers of a class."""
        return self._of_class[source]

    def of_system(self, system: str) -> tuple[str, ...]:
        """Return the Diameter proxies of another MC system."""
        return self._of_system.get(system, ())
