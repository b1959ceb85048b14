"""The sets that were configured: per user and partner at the primary, for all possible inbound users at the partner.

They come from ``mms.toml``, from files of JSON lines beside it, and from numbered ranges (7.4.2.2.X).  All are held to
the home domain and the lent range, and no identity stands twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from mmserver.http.settings import ConfigError
from mmserver.identity import SipIdentities, domain_of, parse_sip_identities
from mmserver.migration.config import MmsConfig, PartnerRange, PartnerSet, PrimarySet

SETS_MAX: Final = 1_000_000
CHUNK: Final = 100
EVERYBODY: Final = "*"
"""Name of the pool whose sets are for the inbound users of every system."""

T = TypeVar("T", PrimarySet, PartnerSet)


class InboundPool:
    """The sets for the inbound users of one MC system, by size; looked through from where the last one was taken."""

    def __init__(self, sets: Iterable[SipIdentities]) -> None:
        self._by_size: dict[int, list[SipIdentities]] = {}
        self._next: dict[int, int] = {}
        self._places: dict[str, tuple[int, int]] = {}
        for one in sets:
            same_size = self._by_size.setdefault(len(one.sip_uris), [])
            self._places[one.private_user_identity] = (len(one.sip_uris), len(same_size))
            same_size.append(one)

    def __len__(self) -> int:
        """Return how many sets there are."""
        return sum(len(sets) for sets in self._by_size.values())

    def large_enough(self, wanted: int) -> Iterator[list[SipIdentities]]:
        """Yield the sets with ``wanted`` SIP URIs or more in chunks: the smallest ones first, each once."""
        for size in sorted(size for size in self._by_size if size >= wanted):
            sets, start = self._by_size[size], self._next.get(size, 0)
            turned = sets[start:] + sets[:start] if start else sets
            for first in range(0, len(turned), CHUNK):
                yield turned[first : first + CHUNK]

    def too_small(self, wanted: int) -> Iterator[list[SipIdentities]]:
        """Yield the sets with fewer SIP URIs, in chunks."""
        for size in sorted(size for size in self._by_size if size < wanted):
            sets = self._by_size[size]
            for first in range(0, len(sets), CHUNK):
                yield sets[first : first + CHUNK]

    def took(self, chosen: SipIdentities) -> None:
        """Begin after ``chosen`` next time: what was given back last is lent again last."""
        place = self._places.get(chosen.private_user_identity)
        if place is not None:
            size, index = place
            self._next[size] = (index + 1) % len(self._by_size[size])


@dataclass(slots=True)
class Pools:
    """All configured sets.

    Attributes:
        own: each inbound set once, by the system that it is for, or ``EVERYBODY``.
    """

    primary: dict[tuple[str, str], list[SipIdentities]] = field(default_factory=dict)
    inbound: dict[str, InboundPool] = field(default_factory=dict)
    primary_sizes: dict[str, int] = field(default_factory=dict)
    own: dict[str, list[SipIdentities]] = field(default_factory=dict)

    def of_user(self, mc_service_ids: tuple[str, ...], partner: str) -> list[SipIdentities]:
        """Return the sets of an MC service user for that partner, in the order in which they were configured."""
        return [one for user in mc_service_ids for one in self.primary.get((user, partner), ())]

    def of_inbound(self, primary: str) -> InboundPool:
        """Return the sets for inbound users of that primary MC system."""
        return self.inbound.get(primary) or InboundPool(())


def load_pools(config: MmsConfig) -> Pools:
    """Read and check every configured set.

    Raises:
        ConfigError: one cannot be used; the text names its place.
    """
    pools, seen = Pools(), _Seen(config.system.home_domain, config.allocation.partner.prefix)
    names = [partner.name for partner in config.partners]
    for where, primary in _primary_sets(config):
        if primary.partner not in names:
            raise ConfigError(f"{where}: no partner {primary.partner!r}")
        identities = primary.identity_set().to_identities()
        seen.require_home(where, identities)
        pools.primary.setdefault((primary.mc_service_id, primary.partner), []).append(identities)
        pools.primary_sizes[primary.partner] = pools.primary_sizes.get(primary.partner, 0) + 1
    by_system: dict[str, list[SipIdentities]] = {name: [] for name in names}
    for where, partner, identities in _partner_sets(config):
        if partner is not None and partner not in names:
            raise ConfigError(f"{where}: no partner {partner!r}")
        seen.require_lent(where, identities)
        pools.own.setdefault(partner or EVERYBODY, []).append(identities)
        for name in names if partner is None else [partner]:
            by_system[name].append(identities)
    pools.inbound = {name: InboundPool(sets) for name, sets in by_system.items()}
    return pools


class _Seen:
    """Holds sets to the home domain and the lent range, and each identity to one place."""

    def __init__(self, domain: str, prefix: str) -> None:
        self._domain = domain
        self._prefix = prefix
        self._primary: set[str] = set()
        self._partner: set[str] = set()

    def require_home(self, where: str, identities: SipIdentities) -> None:
        if domain_of(identities.private_user_identity) != self._domain:
            raise ConfigError(f"{where}: not in the home domain {self._domain}")
        self._once(where, identities, self._primary)

    def require_lent(self, where: str, identities: SipIdentities) -> None:
        for identity in identities.mapped:
            user = identity.removeprefix("sip:")
            if not user.startswith(self._prefix) or domain_of(identity) != self._domain:
                raise ConfigError(f"{where}: {identity} is not {self._prefix}...@{self._domain}")
        self._once(where, identities, self._partner)

    def _once(self, where: str, identities: SipIdentities, seen: set[str]) -> None:
        for identity in (identities.private_user_identity, *identities.public_user_identities):
            if identity in seen:
                raise ConfigError(f"{where}: {identity} stands twice")
            seen.add(identity)
        if len(seen) > SETS_MAX * 4:
            raise ConfigError(f"{where}: more than {SETS_MAX} sets")


def _primary_sets(config: MmsConfig) -> Iterator[tuple[str, PrimarySet]]:
    allocation = config.allocation.primary
    for index, one in enumerate(allocation.sets):
        yield f"allocation.primary.sets.{index}", one
    for where, text in _lines(allocation.file):
        yield where, _parsed(where, text, PrimarySet)


def _partner_sets(config: MmsConfig) -> Iterator[tuple[str, str | None, SipIdentities]]:
    allocation = config.allocation.partner
    for index, one in enumerate(allocation.sets):
        yield f"allocation.partner.sets.{index}", one.partner, one.identity_set().to_identities()
    for where, text in _lines(allocation.file):
        read = _parsed(where, text, PartnerSet)
        yield where, read.partner, read.identity_set().to_identities()
    for index, numbered in enumerate(allocation.ranges):
        for number in range(numbered.first, numbered.first + numbered.count):
            yield f"allocation.partner.ranges.{index}", numbered.partner, _numbered(numbered, number)


def _numbered(numbered: PartnerRange, number: int) -> SipIdentities:
    impus = [text.format(number=number) for text in numbered.public_user_identities]
    return parse_sip_identities(numbered.private_user_identity.format(number=number), impus)


def _lines(file: Path | None) -> Iterator[tuple[str, str]]:
    if file is None:
        return
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file.name}:{number}", line
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: {exc}") from exc


def _parsed(where: str, text: str, model: type[T]) -> T:
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        place = ".".join(str(part) for part in error["loc"])
        raise ConfigError(f"{where}: {f'{place}: ' if place else ''}{error['msg']}") from None
