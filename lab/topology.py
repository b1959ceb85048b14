"""The lab as a value: MC systems, their hosts, agreements, users and UEs, read from ``topology.toml``.

``topology.toml`` is the product: everything that the lab renders and starts follows from it (docs/lab.md).
Scenarios change it by dotted paths (``systems.mc1.hss_mode``).  Nothing here touches the machine.
"""

import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.load.crowd import Crowd, Member, Place, members
from lab.topology_rules import KEY_PATTERN, NAME_PATTERN, PLMN_PATTERN, check_topology_rules, refusal_of
from mmserver.identity import SipIdentities, parse_domain, parse_impi, parse_impu, parse_sip_identities

DEFAULT_FILE: Final = Path(__file__).with_name("topology.toml")
LAB_DOMAIN: Final = "lab"
PROXIES: Final = ("proxy1", "proxy2")
ADDED: Final = {"mcs": 7, "edge": 8, "dra": 9, "probe": 19, "mms2": 20}
"""Hosts that a system has only where its settings say so, and the last octet of their address."""

Setting = str | int | float | bool | tuple["Setting", ...] | list[Any] | dict[str, Any]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Key = Annotated[str, Field(pattern=KEY_PATTERN, repr=False)]
Octet = Annotated[int, Field(ge=1, le=254)]
Domain = Annotated[str, AfterValidator(parse_domain)]
McServiceIds = Annotated[tuple[str, ...], Field(min_length=1)]


class TopologyError(ValueError):
    """The topology cannot be used; the text is one line and names the path."""


class Table(BaseModel):
    """A frozen table of the file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class IdentitySet(Table):
    """An identity set: one IMPI and its IMPUs, in order."""

    private_user_identity: Annotated[str, AfterValidator(parse_impi)]
    public_user_identities: Annotated[tuple[Annotated[str, AfterValidator(parse_impu)], ...], Field(min_length=1)]

    def to_identities(self) -> SipIdentities:
        """Return the set as a value of the identity leaf."""
        return parse_sip_identities(self.private_user_identity, list(self.public_user_identities))


class MigrationSet(IdentitySet):
    """A primary migration set that is kept for one partner (7.4.2.2.X NOTE 1)."""

    partner: Name
    known_to_hss: Annotated[bool, Field(description="The HSS has it; false: it is the MMS's alone, a mistake.")] = True


class ServiceArea(Table):
    """Where a system serves: a polygon of (longitude, latitude), cells, tracking areas (10.1.X.1 step 3)."""

    polygon: tuple[tuple[float, float], ...] = ()
    ecgi: tuple[str, ...] = ()
    tracking_areas: tuple[str, ...] = ()


class Agreement(Table):
    """A migration agreement as one side has it: whom it lets out to the partner and in from it."""

    outbound_users: Literal["*"] | tuple[str, ...] = "*"
    inbound_users: Literal["*"] | tuple[str, ...] = "*"
    priority: int = 0
    valid_until: Annotated[datetime | None, Field(description="When the agreement ends, as this side has it.")] = None
    static: Annotated[
        bool, Field(description="The partner gets no configuration data in step 12: it has them (NOTE 2).")
    ] = False
    vouched_users: Annotated[
        Literal["*"] | tuple[str, ...],
        Field(description="MC service ids that the partner's IdMS may vouch for here (10.6.2-1)."),
    ] = "*"


class Uplink(Table):
    """What joins a system's network with one outside the lab: an interface, or a bridge, maybe in a namespace."""

    interface: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.\-]{1,15}$")] = None
    namespace: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")] = None
    bridge: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.\-]{1,15}$")] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.interface is None) == (self.bridge is None):
            raise ValueError("either interface, or bridge (and namespace where it is in one)")
        if self.interface is not None and self.namespace is not None:
            raise ValueError("namespace goes with bridge")
        return self


class System(Table):
    """One MC system with its IMS core.

    ``through_proxy`` false connects the CSCFs straight to the HSS: no migration, a native core to compare with.
    """

    network: IPv4Network
    home_domain: Domain
    plmn: Annotated[str, Field(pattern=PLMN_PATTERN)]
    lent_prefix: Annotated[str, Field(pattern=r"^[a-z0-9\-]{1,32}$")] = "mig-"
    service_area: ServiceArea = ServiceArea()
    agreements: dict[Name, Agreement] = {}
    through_proxy: bool = True
    primary_allocation: Literal["pool", "random", "sip-database", "default", "pre-provisioned"] = "pool"
    partner_allocation: Literal["pool", "random", "sip-database", "pre-provisioned"] = "random"
    inbound_sets: tuple[IdentitySet, ...] = ()
    hss_identities: Literal["lent", "default"] = "lent"
    lent_identities: Literal["mms", "hss"] = "mms"
    hss_mode: Literal["plain", "after-uar", "imsi-only", "no-association"] = "plain"
    prime_with_uar: bool = False
    corrupt_res_for: tuple[str, ...] = ()
    terminating_sip: Annotated[bool, Field(description="The router lets SIP pass from here to a partner's I-CSCF.")] = (
        False
    )
    mc_service: Annotated[
        bool, Field(description="A host mcs: an MC service server, which third-party REGISTERs reach by iFC.")
    ] = False
    mc_service_audience: Annotated[bool, Field(description="The IdMS's access tokens name that server.")] = True
    probe: Annotated[bool, Field(description="A host probe that the proxies take for a CSCF, for raw Diameter.")] = (
        False
    )
    held_s: Annotated[int, Field(ge=1)] = 30
    valid_s: Annotated[int, Field(ge=1)] = 86400
    quarantine_s: Annotated[int, Field(ge=0)] = 3600
    mms_instances: Annotated[
        Literal[1, 2], Field(description="Two migration management servers over one store; the second is mms2.")
    ] = 1
    agents: Annotated[
        Literal["none", "freediameter", "diameter-proxy"],
        Field(description="Diameter agents of the SIP core: edge toward other systems, dra before the HSS."),
    ] = "none"
    elsewhere: Annotated[
        tuple[str, ...], Field(description="Roles that the lab neither makes nor starts: they are outside it.")
    ] = ()
    addresses: Annotated[dict[str, IPv4Address], Field(description="Of a role or a UE, in place of its octet.")] = {}
    names: Annotated[dict[str, Domain], Field(description="Of a role, in place of ROLE.SYSTEM.lab.")] = {}
    server_name: Annotated[str | None, Field(description="Server-Name of the S-CSCF, where it is another's.")] = None
    uplink: Annotated[Uplink | None, Field(description="What joins its network with one outside.")] = None
    max_map_age_s: Annotated[float, Field(gt=0, description="An older identity map tells nothing.")] = 300.0

    def among(self, systems: tuple[str, ...]) -> Self:
        """Return the system as it is where there are only these: without its agreements with others."""
        agreements = {name: terms for name, terms in self.agreements.items() if name in systems}
        return self.model_copy(update={"agreements": agreements})


class User(Table):
    """An MC service user: MC service ids, credentials, the ISIM's default set and the sets to migrate with."""

    system: Name
    mc_service_ids: McServiceIds
    password: Annotated[str, Field(repr=False)]
    k: Key
    opc: Key
    isim: IdentitySet
    migration: Annotated[bool, Field(description="The user is enabled for migration (10.1.X.1 step 2).")] = True
    migration_sets: tuple[MigrationSet, ...] = ()


class Ue(Table):
    """A UE: who uses it, whose ISIM is in it, and where it is at first."""

    user: Name
    octet: Octet
    isim_of: Annotated[Name | None, Field(description="Another user's ISIM is in this UE.")] = None
    wrong_key: Annotated[bool, Field(description="The ISIM holds another K than the HSS.")] = False
    transport: Annotated[Literal["udp", "tcp"], Field(description="What its SIP goes over.")] = "udp"


class Host(BaseModel):
    """One host: it has a namespace, an address and (but for the router) one program."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(examples=["pcscf.mc1", "ue1"])]
    role: str
    system: str
    address: IPv4Address
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The host's name in certificates, Origin-Host and hosts files."""
        return self.given_name or self.lab_name

    @property
    def lab_name(self) -> str:
        """The name that says role and system, whatever the host is called."""
        return f"{self.key}.{LAB_DOMAIN}"


class Topology(Table):
    """The whole lab."""

    roles: dict[Name, Octet]
    systems: Annotated[dict[Name, System], Field(min_length=1)]
    users: dict[Name, User]
    ues: dict[Name, Ue] = {}
    crowd: Annotated[Crowd | None, Field(description="Many subscribers for `mclab storm`, at the HSS alone.")] = None

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        check_topology_rules(self, ADDED)
        return self

    # --- who is where ---------------------------------------------------------------------------------------

    def address(self, system: str, role: str) -> IPv4Address:
        """Return the address of a role in a system."""
        if role in self.systems[system].addresses:
            return self.systems[system].addresses[role]
        return self.systems[system].network[ADDED[role] if role in ADDED else self.roles[role]]

    def mms_hosts(self, system: str) -> tuple[Host, ...]:
        """Return the instances of a system's migration management server, the first one first."""
        roles = ("mms", "mms2")[: self.systems[system].mms_instances]
        return tuple(self.host(system, role) for role in roles)

    def csc_y_hosts(self, system: str) -> tuple[Host, ...]:
        """Return who speaks CSC-Y with other systems: the edge agent of the SIP core, else both proxies."""
        roles = PROXIES if self.systems[system].agents == "none" else ("edge",)
        return tuple(self.host(system, role) for role in roles)

    def host(self, system: str, role: str) -> Host:
        """Return the host of a role in a system."""
        name = self.systems[system].names.get(role)
        address = self.address(system, role)
        return Host(key=f"{role}.{system}", role=role, system=system, address=address, given_name=name)

    def ue_address(self, ue: str, system: str) -> IPv4Address:
        """Return the address of a UE while it is in ``system``."""
        settings = self.systems[system]
        return settings.addresses.get(ue, settings.network[self.ues[ue].octet])

    def ue_host(self, ue: str) -> Host:
        """Return a UE as a host, where it is at first: in its user's own system."""
        system = self.home_of(ue)
        return Host(key=ue, role="ue", system=system, address=self.ue_address(ue, system))

    def home_of(self, ue: str) -> str:
        """Return the primary MC system of a UE's user."""
        return self.users[self.ues[ue].user].system

    def hosts(self) -> tuple[Host, ...]:
        """Return every host that has a namespace of its own, the router aside: cores first, then UEs."""
        core = [
            self.host(name, role)
            for name, system in self.systems.items()
            for role in (*self.roles, *_added(system))
            if role not in ("router", *system.elsewhere) and _is_in_use(role, system)
        ]
        return (*core, *(self.ue_host(ue) for ue in self.ues))

    def hosts_elsewhere(self) -> tuple[Host, ...]:
        """Return the hosts that the lab knows by name and address only."""
        return tuple(self.host(name, role) for name, system in self.systems.items() for role in system.elsewhere)

    def users_of(self, system: str) -> dict[str, User]:
        """Return the users whose primary MC system is ``system``."""
        return {name: user for name, user in self.users.items() if user.system == system}

    def crowd_of(self, system: str) -> Iterator[Member]:
        """Yield the crowd of a system, if it has one."""
        if self.crowd is not None and self.crowd.home == system:
            yield from members(self.crowd, self.place(system), self.place(self.crowd.partner))

    def place(self, system: str) -> Place:
        """Return what the identities of a system's crowd look like."""
        settings = self.systems[system]
        return Place(settings.home_domain, settings.plmn, settings.lent_prefix)

    def partners_of(self, system: str) -> dict[str, Agreement]:
        """Return the agreements of a system, by partner."""
        return self.systems[system].agreements

    def restricted_to(self, systems: tuple[str, ...], ues: tuple[str, ...] | None = None) -> "Topology":
        """Return the lab with only these systems, their users and the agreements among them; with these UEs, or all.

        Raises:
            TopologyError: one of them is not in the topology.
        """
        for name in ues or ():
            if name not in self.ues:
                raise TopologyError(f"no UE {name}; there are {', '.join(self.ues) or 'none'}")
        for name in systems:
            if name not in self.systems:
                raise TopologyError(f"no system {name}; there are {', '.join(self.systems)}")
        users = {name: user for name, user in self.users.items() if user.system in systems}
        crowd = self.crowd if self.crowd and {self.crowd.home, self.crowd.partner} <= set(systems) else None
        return self.model_copy(
            update={
                "systems": {name: self.systems[name].among(systems) for name in self.systems if name in systems},
                "users": users,
                "crowd": crowd,
                "ues": {name: ue for name, ue in self.ues.items() if ue.user in users and (ues is None or name in ues)},
            }
        )


def load_topology(path: Path = DEFAULT_FILE, settings: Mapping[str, Setting] | None = None) -> Topology:
    """Return the topology of a file, with the settings of a scenario laid over it.

    Raises:
        TopologyError: the file cannot be read, is not TOML, or says something impossible.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as exc:
        raise TopologyError(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise TopologyError(f"{path.name}: octet {exc.start} is no UTF-8; save the file as UTF-8") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise TopologyError(f"{path.name}: {exc}") from exc
    return parse_topology(raw, settings or {}, source=path.name)


def parse_topology(raw: Mapping[str, Any], settings: Mapping[str, Setting], source: str = "topology") -> Topology:
    """Return the topology of a parsed file, with settings laid over it by dotted path.

    Raises:
        TopologyError: a value is impossible, or a path leads nowhere.
    """
    tables = deepcopy(dict(raw))
    for path, value in settings.items():
        _lay(tables, path, value)
    try:
        return Topology.model_validate(tables)
    except ValidationError as exc:
        raise TopologyError(f"{source}: {refusal_of(exc, Topology)}") from exc


def _lay(tables: dict[str, Any], path: str, value: Setting) -> None:
    *parents, last = path.split(".")
    table: Any = tables
    for part in parents:
        try:
            table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
        except (ValueError, IndexError, AttributeError) as exc:
            raise TopologyError(f"setting {path}: nothing at {part}") from exc
    if not isinstance(table, dict):
        raise TopologyError(f"setting {path}: {last} is not in a table")
    table[last] = value


def _added(system: System) -> tuple[str, ...]:
    return (
        *(("edge", "dra") if system.agents != "none" else ()),
        *(("probe",) if system.probe else ()),
        *(("mcs",) if system.mc_service else ()),
        *(("mms2",) if system.mms_instances > 1 else ()),
    )


def _is_in_use(role: str, system: System) -> bool:
    return system.through_proxy or role not in ("proxy1", "proxy2", "mms", "mms2", "edge", "dra")
