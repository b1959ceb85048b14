"""What must hold between the tables of ``topology.toml``, and how a refusal is put: the place, what is there, the mend.

Each table for itself is checked by its type (``lab.topology``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final, get_args

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from lab.topology import IdentitySet, System, Topology

ROLES: Final = ("router", "pcscf", "icscf", "scscf", "hss", "proxy1", "proxy2", "mms", "cms", "idms")
"""What every system has; which of them are outside the lab says ``elsewhere``."""
NAME_PATTERN: Final = r"^[a-z][a-z0-9]{0,7}$"
KEY_PATTERN: Final = r"^[0-9a-f]{32}$"
PLMN_PATTERN: Final = r"^[0-9]{5,6}$"
# fmt: off
_WANTED: Final = {
    "missing":          "missing",
    "too_short":        "wanted one at least",
    "ip_v4_network":    "wanted an IPv4 network, as 10.77.1.0/24",
    "ip_v4_address":    "wanted an IPv4 address, as 10.77.1.10",
    NAME_PATTERN:       "wanted a small letter, then seven small letters and digits at the most",
    KEY_PATTERN:        "wanted 32 hexadecimal digits, letters small",
    PLMN_PATTERN:       "wanted five or six digits",
}
# fmt: on
"""By pydantic's type of error, and by the pattern that was not met."""


def check_topology_rules(topology: "Topology", added: Mapping[str, int]) -> None:
    """Hold the tables against each other; ``added`` are roles that only some systems have, with their octets.

    Raises:
        ValueError: the text names the place and what to write there.
    """
    _roles(topology)
    _references(topology)
    _octets([*topology.roles.values(), *added.values(), *(ue.octet for ue in topology.ues.values())])
    _networks(topology)
    for name, system in topology.systems.items():
        _own_addresses(topology, name, system, added)
    _once("systems.{}.home_domain", ((name, system.home_domain) for name, system in topology.systems.items()))
    _once("systems.{}.plmn", ((name, system.plmn) for name, system in topology.systems.items()))
    _identities(topology)


def refusal_of(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one fault of a file in one line, a mistyped setting before what is missing for it: its place, the mend."""
    faults = error.errors(include_url=False, include_input=False)
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        there = list(_table_at(model, fault["loc"]).model_fields)
        near = get_close_matches(str(fault["loc"][-1]), there, 1)
        mend = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
        reason = f"no such setting; {mend}"
    else:
        pattern = str(fault.get("ctx", {}).get("pattern"))
        said = str(fault["msg"]).removeprefix("Value error, ")
        reason = _WANTED.get(pattern) or _WANTED.get(fault["type"], said)
    return f"{where}: {reason}" if where else reason


def _table_at(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """Return the table in which a setting stands; names of systems, users and the like are no settings."""
    for part in place[:-1]:
        if part in model.model_fields:
            model = next(_tables_in(model.model_fields[str(part)].annotation), model)
    return model


def _tables_in(annotation: object) -> Iterator[type[BaseModel]]:
    for part in get_args(annotation):
        yield from _tables_in(part)
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        yield annotation


def _roles(topology: "Topology") -> None:
    if missing := [role for role in ROLES if role not in topology.roles]:
        raise ValueError(f"roles: no {missing[0]}; every system has {', '.join(ROLES)}, each with a last octet")
    if unknown := [role for role in topology.roles if role not in ROLES]:
        raise ValueError(f"roles.{unknown[0]}: no such role; there are {', '.join(ROLES)}")


def _references(topology: "Topology") -> None:
    systems = topology.systems
    for name, user in topology.users.items():
        _known(f"users.{name}.system", "system", user.system, systems)
    for name, ue in topology.ues.items():
        _known(f"ues.{name}.user", "user", ue.user, topology.users)
        _known(f"ues.{name}.isim_of", "user", ue.isim_of or ue.user, topology.users)
    if topology.crowd is not None and not {topology.crowd.home, topology.crowd.partner} <= set(systems):
        raise ValueError(f"crowd: home and partner are systems of the lab: {', '.join(systems)}")
    for name, system in systems.items():
        if name in system.agreements:
            raise ValueError(f"systems.{name}.agreements.{name}: an agreement is with another system")
        for partner in system.agreements:
            _known(f"systems.{name}.agreements.{partner}", "system", partner, (one for one in systems if one != name))


def _known(place: str, kind: str, name: str, there: Iterable[str]) -> None:
    names = list(there)
    if name not in names:
        raise ValueError(f"{place}: no {kind} {name}; there are {', '.join(names) or 'none'}")


def _octets(octets: Sequence[int]) -> None:
    doubled = sorted({octet for octet in octets if octets.count(octet) > 1})
    if doubled:
        free = next(octet for octet in range(21, 255) if octet not in octets)
        raise ValueError(f"octet {doubled[0]} stands twice in roles and ues; {free} is free")


def _networks(topology: "Topology") -> None:
    before: dict[str, IPv4Network] = {}
    for name, system in topology.systems.items():
        if system.network.is_loopback or system.network.is_multicast or system.network.is_unspecified:
            raise ValueError(f"systems.{name}.network: no host can have {system.network}; take one as 10.77.1.0/24")
        for other, network in before.items():
            if network.overlaps(system.network):
                raise ValueError(
                    f"systems.{name}.network: {system.network} overlaps {network} of {other}; each needs one of its own"
                )
        if system.network.prefixlen != 24:
            raise ValueError(f"systems.{name}.network: {system.network}: wanted 24 bits, as 10.77.1.0/24")
        before[name] = system.network


def _own_addresses(topology: "Topology", name: str, system: "System", added: Iterable[str]) -> None:
    known = (*ROLES, *added)
    for field, roles in (("elsewhere", system.elsewhere), ("names", system.names)):
        for role in roles:
            _known(f"systems.{name}.{field}", "role", role, known)
    for key in system.addresses:
        _known(f"systems.{name}.addresses", "role or UE", key, (*known, *topology.ues))
    ours = [role for role in ROLES if role not in system.elsewhere]
    for role, address in system.addresses.items():
        if role not in system.elsewhere and address not in system.network:
            raise ValueError(f"systems.{name}.addresses.{role}: {address} is not in {system.network}")
    places: list[tuple[str, IPv4Address]] = [(role, topology.address(name, role)) for role in ours]
    places += [(ue, topology.ue_address(ue, name)) for ue in topology.ues]
    _once(f"systems.{name}: address of {{}}", ((role, str(address)) for role, address in places))
    _once(
        f"systems.{name}.names.{{}}",
        ((role, given) for role, given in system.names.items() if role not in system.elsewhere),
    )


def _identities(topology: "Topology") -> None:
    """An HSS knows one subscriber by an identity; two users may share a UE (``isim_of``), not an ISIM of their own."""
    users = topology.users.items()
    _once("users.{}.mc_service_ids", ((name, one) for name, user in users for one in user.mc_service_ids))
    _once("users.{}.isim", ((name, one) for name, user in users for one in _names_in(user.isim)))
    _once(
        "users.{}.migration_sets",
        ((name, one) for name, user in users for lent in user.migration_sets for one in _names_in(lent)),
    )


def _names_in(identities: "IdentitySet") -> Iterator[str]:
    yield identities.private_user_identity
    yield from identities.public_user_identities


def _once(place: str, values: Iterable[tuple[str, str]]) -> None:
    """Refuse a value that two have; the same one may say it twice."""
    owners: dict[str, str] = {}
    for name, value in values:
        if owners.setdefault(value, name) != name:
            raise ValueError(f"{place.format(name)}: {value} is that of {owners[value]} already")
