"""What is in force: users, groups and agreements of the configuration file, and those set over the admin API.

A catalogue is a value made whole and swapped whole: a request that began with one ends with it.  **A name in the file
belongs to the file**: the API can neither change nor delete it, and an entry of the API that a later file names too is
kept, shown as ``overruled``, and comes back into force when the file no longer names it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mmserver.configuration.areas import ServiceAreas
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.terms import PEM, Group, Partner, User, canonical, mc_domain_of
from mmserver.http.settings import ConfigError
from mmserver.http.tls import TlsError, parse_certificates
from mmserver.messages import InitialUeConfiguration

FILE_OCTETS_MAX: Final = 16 * 1024 * 1024


class Kind(StrEnum):
    """What an entry is."""

    AGREEMENT = "agreement"
    USER = "user"
    GROUP = "group"


class Source(StrEnum):
    """Where an entry comes from."""

    FILE = "file"
    API = "api"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry set over the API: its document as JSON text, and who set it when."""

    kind: Kind
    name: str
    document: str
    version: int = 0
    at: float = 0.0
    actor: str = ""


Item = Partner | User | Group


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as the operator sees it."""

    item: Item
    source: Source
    overruled: bool = False


@dataclass(frozen=True)
class Catalogue:
    """Users, groups and agreements at one moment."""

    system: str
    users: Mapping[str, User]
    groups: Mapping[str, frozenset[str]]
    partners: Mapping[str, Partner]
    own_mc_domains: frozenset[str]
    initial_ue_configuration: InitialUeConfiguration
    listed: Mapping[Kind, tuple[Listed, ...]]
    areas: ServiceAreas = field(default_factory=ServiceAreas)
    own_users: frozenset[str] = frozenset()

    def by_client_name(self, names: Iterable[str]) -> Partner | None:
        """Return the one partner whose client name is among ``names``; two are nobody."""
        wanted = {name.lower() for name in names}
        found = [partner for partner in self.partners.values() if partner.client_name.lower() in wanted]
        return found[0] if len(found) == 1 else None

    def is_ours(self, mc_service_id: str) -> bool:
        """Say whether an MC service ID is one of our users' or lies in a domain of ours, however it is written."""
        return canonical(mc_service_id) in self.own_users or mc_domain_of(mc_service_id) in self.own_mc_domains


def name_of(item: Item) -> str:
    """Return what an entry is known by."""
    return item.mc_service_id if isinstance(item, User) else item.name


MODELS: Final[Mapping[Kind, type[Partner] | type[User] | type[Group]]] = {
    Kind.AGREEMENT: Partner,
    Kind.USER: User,
    Kind.GROUP: Group,
}


def make_catalogue(config: CmsConfig, entries: Iterable[Entry] = ()) -> Catalogue:
    """Return what the file and the entries of the API say together.

    Raises:
        ConfigError: they cannot stand side by side, or a file that is named cannot be used.
    """
    listed: dict[Kind, list[Listed]] = {
        Kind.AGREEMENT: [Listed(with_files_read(partner), Source.FILE) for partner in config.partners],
        Kind.USER: [Listed(user, Source.FILE) for user in config.users],
        Kind.GROUP: [Listed(group, Source.FILE) for group in config.groups],
    }
    in_file = {kind: {name_of(one.item) for one in found} for kind, found in listed.items()}
    for entry in sorted(entries, key=lambda one: (one.kind, one.name)):
        item = parse_entry(entry)
        listed[entry.kind].append(Listed(item, Source.API, overruled=entry.name in in_file[entry.kind]))
    catalogue = _assembled(config, listed)
    _check(catalogue, config)
    return catalogue


def parse_entry(entry: Entry) -> Item:
    """Return an entry's document as a value.

    Raises:
        ConfigError: it is none of this version.
    """
    try:
        return MODELS[entry.kind].model_validate_json(entry.document)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"{entry.kind} {entry.name}: {where}: {fault['msg']}") from exc


def with_files_read(partner: Partner) -> Partner:
    """Return the agreement with the content of the files that it names.

    Raises:
        ConfigError: one of them cannot be used.
    """
    changes: dict[str, Any] = {}
    if not partner.ca.lstrip().startswith(PEM):
        changes["ca"] = _read(Path(partner.ca))
    if isinstance(partner.service_area.geojson, str):
        path = Path(partner.service_area.geojson)
        try:
            document = json.loads(_read(path))
        except (ValueError, RecursionError) as exc:
            raise ConfigError(f"service_area: {path.name}: not an area: {exc}") from exc
        if not isinstance(document, dict):
            raise ConfigError(f"service_area: {path.name}: not an area: wanted an object")
        changes["service_area"] = partner.service_area.model_copy(update={"geojson": document})
    try:
        parse_certificates(changes.get("ca", partner.ca))
    except TlsError as exc:
        name = partner.ca if "ca" in changes else "ca"
        raise ConfigError(f"agreement {partner.name}: {name}: {exc}") from exc
    return partner.model_copy(update=changes)


def _assembled(config: CmsConfig, listed: Mapping[Kind, list[Listed]]) -> Catalogue:
    in_force = {kind: [one.item for one in found if not one.overruled] for kind, found in listed.items()}
    users = {item.mc_service_id: item for item in in_force[Kind.USER] if isinstance(item, User)}
    return Catalogue(
        system=config.system.name,
        users=users,
        groups={item.name: frozenset(item.members) for item in in_force[Kind.GROUP] if isinstance(item, Group)},
        partners={item.name: item for item in in_force[Kind.AGREEMENT] if isinstance(item, Partner)},
        own_mc_domains=frozenset(config.system.mc_service_id_domains),
        initial_ue_configuration=config.initial_ue_configuration,
        listed={kind: tuple(found) for kind, found in listed.items()},
        own_users=frozenset(canonical(name) for name in users),
    )


def _check(catalogue: Catalogue, config: CmsConfig) -> None:
    """Hold what no single entry can see.

    Raises:
        ConfigError: two of them contradict each other.
    """
    if config.system.name in catalogue.partners:
        raise ConfigError(f"agreements: {config.system.name} is this system")
    ours = {name.lower() for name in (*config.admin.clients, *config.metrics.clients)}
    seen: dict[str, str] = {}
    for partner in catalogue.partners.values():
        client = partner.client_name.lower()
        if client in ours:
            raise ConfigError(f"agreement {partner.name}: client_name: {client} is a client of our own")
        if seen.setdefault(client, partner.name) != partner.name:
            raise ConfigError(f"agreement {partner.name}: client_name: {client} is that of {seen[client]}")
        unknown = {*partner.outbound_groups, *partner.inbound_groups} - set(catalogue.groups)
        if unknown:
            raise ConfigError(f"agreement {partner.name}: no such group: {min(unknown)}")
        if not set(partner.services) & set(config.initial_ue_configuration.services):
            raise ConfigError(f"agreement {partner.name}: services: this system has none of them")
        catalogue.areas.check(partner)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
        if len(octets) > FILE_OCTETS_MAX:
            raise ConfigError(f"{path.name}: over {FILE_OCTETS_MAX} octets")
        return octets.decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
