"""Values of one Kamailio CSCF, rendered beside the committed logic (TS 23.228 §4.6: P-, I- and S-CSCF).

The logic is in kamailio-config/ and the same for all cores; what differs is written here into one directory per host:
values.cfg (which ends by including the logic), cdp.xml, address.list (whom to trust) and db_text tables.
It starts nothing and resolves no name: each host's hosts file must hold the names used here, its own first.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["CONFIGURATION", "PORTS", "CscfValues", "Endpoint", "PartnerCore", "Role", "render_cscf"]

Role = Literal["pcscf", "icscf", "scscf"]

CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "kamailio-config"
"""The committed logic and templates."""

PORTS: Final[dict[Role, int]] = {"pcscf": 5060, "icscf": 4060, "scscf": 6060}

# Kamailio takes an include_file of at most 127 octets (MAX_INCLUDE_FNAME).
_INCLUDE_OCTETS_MAX: Final = 127

# A Unix socket's path has at most 107 octets (unix(7)); Kamailio 5.6 counts its own "unix:" among them.
_SOCKET_PATH_OCTETS_MAX: Final = 102

_TABLES: Final[dict[Role, list[str]]] = {
    "pcscf": ["pua"],
    "icscf": ["s_cscf", "s_cscf_capabilities", "nds_trusted_domains"],
    "scscf": ["next_core"],
}

# Kamailio's process needs 256 MiB of shared memory to live through a burst of registrations (64 wedged it for good).
_SHARED_MEMORY_MIB: Final = 256
_PROCESS_MEMORY_MIB: Final = 8


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host of the lab: its name and its address."""

    host: str
    address: str


@dataclass(frozen=True, slots=True)
class PartnerCore:
    """Another core whose S-CSCF may send requests to our I-CSCF, and to whose I-CSCF we send."""

    domain: str
    icscf: Endpoint
    scscf: Endpoint

    @property
    def next_hop(self) -> str:
        """Where a request to a user of that core goes."""
        return _uri("icscf", self.icscf.address)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses from which that core's requests come."""
        return (self.icscf.address, self.scscf.address)


@dataclass(frozen=True, slots=True)
class CscfValues:
    """What the three CSCFs of one core need to know of it.

    ``proxies`` are the Diameter proxies, the preferred one first. ``tc_s`` is cdp's one timer for reconnecting and for
    the watchdog; ``transaction_timeout_s`` is how long cdp waits for an answer, and must stay above the proxy's budget.
    """

    domain: str
    realm: str
    pcscf: Endpoint
    icscf: Endpoint
    scscf: Endpoint
    proxies: tuple[Endpoint, ...]
    partners: tuple[PartnerCore, ...] = field(default=())
    mc_service: Endpoint | None = None
    children: int = 2
    tcp_children: int = 2
    workers: int = 2
    tc_s: int = 2
    transaction_timeout_s: int = 2
    log_level: int = 1

    def __post_init__(self) -> None:
        """Refuse what Kamailio would start with and then fail on, one by one."""
        if not self.proxies:
            raise ValueError("a core needs at least one Diameter proxy")
        if self.log_level < 1:
            raise ValueError(f"log level {self.log_level} would hide the ready line, wanted 1 or more")
        for name in ("children", "tcp_children", "workers", "tc_s", "transaction_timeout_s"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted 1 or more")

    def endpoint(self, role: Role) -> Endpoint:
        """Return the host of ``role``."""
        endpoints: dict[Role, Endpoint] = {"pcscf": self.pcscf, "icscf": self.icscf, "scscf": self.scscf}
        return endpoints[role]


def render_cscf(role: Role, values: CscfValues, directory: Path) -> list[str]:
    """Write the files of one CSCF into ``directory`` and return the command that runs it in the foreground.

    Raises:
        ValueError: this checkout lies so deep that Kamailio does not include its files.
    """
    directory = directory.resolve()
    environment = _environment()
    context = _context(role, values, directory)
    for template, target in _files(role).items():
        path = directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.get_template(template).render(context), encoding="utf-8")
    memory = ["-m", str(_SHARED_MEMORY_MIB), "-M", str(_PROCESS_MEMORY_MIB)]
    return ["kamailio", "-DD", "-E", *memory, "-f", str(directory / "values.cfg")]


def _files(role: Role) -> dict[str, str]:
    """Return the templates of a role and the files they become; db_text wants the table's name as file name."""
    files = {"values.cfg.j2": "values.cfg", "address.list.j2": "address.list"}
    if role != "pcscf":
        files["cdp.xml.j2"] = "cdp.xml"
    tables = _TABLES[role]
    return files | {f"db/{table}.j2": f"db/{table}" for table in [*tables, "version"]}


def _context(role: Role, values: CscfValues, directory: Path) -> dict[str, object]:
    me = values.endpoint(role)
    logic = CONFIGURATION / role / "kamailio.cfg"
    if len(str(logic).encode()) > _INCLUDE_OCTETS_MAX:
        raise ValueError(f"{logic} has {len(str(logic).encode())} octets, Kamailio includes {_INCLUDE_OCTETS_MAX}")
    listen = [f"{me.address}:{PORTS[role]}"]
    control_socket = directory / "kamailio.ctl"
    return {
        "role": role,
        "host": me.host,
        "address": me.address,
        "port": PORTS[role],
        "directory": directory,
        "logic": logic,
        "control_socket": control_socket if len(str(control_socket).encode()) <= _SOCKET_PATH_OCTETS_MAX else None,
        "ready_line": json.dumps({"event": "ready", "listen": listen}, separators=(",", ":")),
        "own_core": [values.pcscf, values.icscf, values.scscf],
        "pcscf_uri": _uri("pcscf", values.pcscf.host),
        "icscf_next_hop": _uri("icscf", values.icscf.address),
        "scscf_uri": _uri("scscf", values.scscf.host),
        "path_uri": f"{_uri('pcscf', values.pcscf.host, user='term')};lr",
        "scscf_host_port": f"{values.scscf.host}:{PORTS['scscf']}",
        **{name: getattr(values, name) for name in CscfValues.__dataclass_fields__},
    }


def _uri(role: Role, host: str, user: str | None = None) -> str:
    return f"sip:{user}@{host}:{PORTS[role]}" if user else f"sip:{host}:{PORTS[role]}"


def _environment() -> Environment:
    # S701: these are Kamailio's own file formats, not HTML.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(CONFIGURATION / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["db_text"] = _db_text
    return environment


def _db_text(value: str) -> str:
    """Return ``value`` as a db_text column has it: the colon separates columns."""
    return value.replace("\\", "\\\\").replace(":", "\\:")
