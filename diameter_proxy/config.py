"""``proxy.toml`` into a frozen value: who the proxy is, whom it knows, its budgets and limits.

An unknown key is an error; a fault is one line that names the path: ``proxy.toml: hss.port: 70000 is more than 65535``.
A relative path lies beside the file.
"""

import ipaddress
import itertools
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AnyHttpUrl,
    Field,
    IPvAnyAddress,
    ValidationError,
    field_validator,
    model_validator,
)

from diameter_proxy.config_groups import AllowTable, GroupName, check_groups
from diameter_proxy.config_peers import HidingTable, PeerTable, RoutingTable, neighbour, peer_config, routing_rule
from diameter_proxy.config_types import (
    ConfigFile,
    DiameterIdentity,
    Integer,
    Port,
    Seconds,
    SocketPath,
    StateFile,
    SystemName,
    Table,
    Transport,
)
from diameter_proxy.node.config import ListenerConfig, NodeConfig
from diameter_proxy.peers import Neighbours
from diameter_proxy.reading import other_kind
from diameter_proxy.routing import Source
from diameter_proxy.settings import Settings

CONFIG_OCTETS_MAX: Final = 4 * 1024 * 1024
PORT_MAX: Final = 65535
DESCRIPTORS: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""What our caller has opened for us, a pipe perhaps: ``check --config <(render)``."""


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line."""


class NodeTable(Table):
    """``[node]``: who we are."""

    origin_host: DiameterIdentity
    origin_realm: DiameterIdentity
    system: Annotated[SystemName, Field(description="Our MC system.")] = "own"
    product_name: Annotated[str, Field(min_length=1, max_length=64)] = "mc-migration diameter-proxy"
    watchdog_s: Annotated[float, Field(ge=0.1, le=3600, description="Tw; RFC 3539 wants 6 s at least.")] = 6.0
    reconnect_s: Annotated[Seconds, Field(description="First wait before a new attempt to connect; it doubles.")] = 0.2
    reconnect_max_s: Seconds = 5.0
    ready_within_s: Annotated[
        Seconds, Field(description="The ready line waits so long for our own HSS and MMS, and for the identity map.")
    ] = 3.0
    awake_us: Annotated[
        Integer,
        Field(ge=0, le=1000, description="So many microseconds awake before a sleep, where answers are near; 0: off."),
    ] = 200

    @property
    def awake_s(self) -> float:
        """``awake_us`` in seconds."""
        return self.awake_us * 1e-6


class ListenerTable(Table):
    """``[[listeners]]``: where peers connect to us."""

    address: IPvAnyAddress
    port: Port = 3868
    transport: Annotated[Transport, Field(description="TCP; TLS runs over it.")] = "tcp"
    tls: bool = False


class TlsTable(Table):
    """``[tls]``: our certificate chain and private key, PEM; for CSC-Y and for the feed."""

    certificate: ConfigFile
    private_key: ConfigFile


class FeedTable(Table):
    """``[feed]``: the MMS whose bindings we follow; without it the proxy is a plain relay."""

    url: AnyHttpUrl
    alternates: Annotated[
        tuple[AnyHttpUrl, ...], Field(max_length=16, description="Further instances of the MMS over one database.")
    ] = ()
    ca: ConfigFile | None = None
    wait_s: Annotated[float, Field(ge=0, le=60, description="How long the MMS may hold a poll.")] = 20.0
    retry_max_s: Annotated[Seconds, Field(description="The longest wait after a failed poll.")] = 5.0
    state: Annotated[
        StateFile | None, Field(description="A file of ours: the last known lent range, for a start without an MMS.")
    ] = None
    lent_prefix: Annotated[
        str, Field(max_length=64, pattern=r"^[a-z0-9._\-]*$", description="As at the MMS; until the first page.")
    ] = ""
    lent_domain: Annotated[DiameterIdentity | None, Field(description="As at the MMS; default: the origin realm.")] = (
        None
    )

    @property
    def is_secured(self) -> bool:
        """Whether TLS is needed to ask any of the instances."""
        return any(url.scheme == "https" for url in (self.url, *self.alternates))


class HssTable(Table):
    """``[hss]``: what the HSS knows."""

    identities: Annotated[
        Literal["lent", "default"], Field(description="Migration sets are provisioned, or map to the ISIM's set.")
    ] = "lent"
    server_name: Annotated[str, Field(max_length=255, description="An S-CSCF of this core, sip:host:port.")] = ""
    prime_with_uar: Annotated[
        bool, Field(description="An own UAR before the first MAR of a migrated user, which Open5GS wants.")
    ] = False
    visited_network: Annotated[
        str, Field(max_length=255, description="Visited-Network-Identifier of that UAR; default: the origin realm.")
    ] = ""
    lent_identities: Annotated[
        Literal["mms", "hss"], Field(description="Who is the SIP database of sets lent to inbound users.")
    ] = "mms"


class BudgetsTable(Table):
    """``[budgets]``: how long each leg may take; they fall from hop to hop."""

    aaa_2_s: Annotated[Seconds, Field(description="All of a MAR on AAA-2; Kamailio's cdp gives up at 2 s.")] = 1.7
    csc_y_s: Seconds = 1.3
    hss_s: Seconds = 1.0
    look_up_s: Seconds = 0.3
    attempt_s: Annotated[Seconds, Field(description="Unanswered for so long: to the alternate, with T.")] = 0.5

    @model_validator(mode="after")
    def _fall(self) -> Self:
        falling = ("aaa_2_s", "csc_y_s", "hss_s", "attempt_s")
        for above, below in itertools.pairwise(falling):
            if getattr(self, above) <= getattr(self, below):
                raise ValueError(f"{above} must be more than {below}: budgets fall from hop to hop")
        if self.look_up_s + self.hss_s > self.csc_y_s or self.look_up_s + self.csc_y_s > self.aaa_2_s:
            raise ValueError("look_up_s does not fit: a look-up and the next leg must end within the budget before it")
        return self


class LimitsTable(Table):
    """``[limits]``: a limit on everything."""

    message_octets: Annotated[Integer, Field(ge=1024, le=1 << 24)] = 1 << 16
    avps: Annotated[Integer, Field(ge=16, le=65536, description="AVPs of one message.")] = 512
    unsent_octets: Annotated[Integer, Field(ge=4096, description="A destination with more gets no requests: 3004.")] = (
        1 << 20
    )
    connections: Annotated[Integer, Field(ge=1)] = 1024
    pending: Annotated[Integer, Field(ge=1, description="Requests that wait for an answer.")] = 20_000
    parked: Annotated[Integer, Field(ge=1, description="Requests that wait for a look-up.")] = 1_000
    look_ups_per_s: Annotated[float, Field(gt=0)] = 500.0
    duplicates: Annotated[Integer, Field(ge=1)] = 10_000
    duplicates_s: Annotated[float, Field(gt=0, le=10)] = 10.0
    log_lines_per_s: Annotated[
        int, Field(ge=1, le=10_000, description="Of one refusal of one peer; the rest is counted.")
    ] = 10
    max_map_age_s: Annotated[Seconds, Field(description="An older map tells nothing about lent identities.")] = 300.0


class MetricsTable(Table):
    """``[metrics]``: Prometheus over HTTP."""

    listen: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:\[\]]+:[0-9]{1,5}$", examples=["127.0.0.1:9090"])]

    @field_validator("listen")
    @classmethod
    def _can_be_bound(cls, listen: str) -> str:
        address, _, port = listen.rpartition(":")
        ipaddress.ip_address(address.strip("[]"))
        if int(port) > PORT_MAX:
            raise ValueError(f"port {port} is more than {PORT_MAX}")
        return listen

    @property
    def address_and_port(self) -> tuple[str, int]:
        """The two parts of ``listen``."""
        address, _, port = self.listen.rpartition(":")
        return address.strip("[]"), int(port)


class AdminTable(Table):
    """``[admin]``: the Unix socket behind ``diameter-proxy peers``."""

    socket: SocketPath


class Config(Table):
    """The whole file."""

    node: NodeTable
    listeners: tuple[ListenerTable, ...] = ()
    tls: TlsTable | None = None
    groups: Annotated[
        dict[GroupName, AllowTable],
        Field(default_factory=dict, description="By group: what its peers take where their rows are silent."),
    ]
    peers: Annotated[tuple[PeerTable, ...], Field(min_length=1)]
    feed: FeedTable | None = None
    hss: HssTable = HssTable()
    routing: RoutingTable = RoutingTable()
    hiding: HidingTable = HidingTable()
    budgets: BudgetsTable = BudgetsTable()
    limits: LimitsTable = LimitsTable()
    metrics: MetricsTable | None = None
    admin: AdminTable | None = None

    @model_validator(mode="after")
    def _groups_complete_their_peers(self) -> Self:
        check_groups(self.groups)
        for number, peer in enumerate(self.peers):
            try:
                peer.of_group(self.groups)
            except ValueError as exc:
                raise ValueError(f"peers.{number}: {exc}") from None
        return self

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        hosts = [peer.host for peer in self.peers]
        doubled = next((host for host in hosts if hosts.count(host) > 1), None)
        if doubled is not None:
            raise ValueError(f"peers: {doubled} stands twice")
        if self.node.origin_host in hosts:
            raise ValueError(f"peers: {self.node.origin_host} is ourselves")
        wants_tls = any(peer.tls for peer in self.peers) or any(row.tls for row in self.listeners)
        if self.tls is None and (wants_tls or (self.feed is not None and self.feed.is_secured)):
            raise ValueError("tls is missing: CSC-Y and the feed need our certificate")
        if self.feed is not None and not self.hss.server_name:
            raise ValueError("hss.server_name is missing: an S-CSCF of this core, for the MAR of migrated users")
        if self.feed is not None and self.feed.is_secured and self.feed.ca is None:
            raise ValueError("feed.ca is missing")
        if self.routing.default_route is not None and self.routing.default_route not in hosts:
            raise ValueError(f"routing.default_route: no peer {self.routing.default_route}")
        hidden_from = next((peer.host for peer in self.peers if self.hiding.hides_from(peer)), None)
        if hidden_from is not None and not self.hiding.keys:
            raise ValueError(f"hiding.keys is missing: names are to be hidden from {hidden_from}")
        for number, rule in enumerate(self.routing.rules):
            unknown = next((host for host in rule.peers if host not in hosts), None)
            if unknown is not None:
                raise ValueError(f"routing.rules.{number}.peers: no peer {unknown}")
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        bound = [(f"listeners.{number}", row.address, row.port) for number, row in enumerate(self.listeners)]
        if self.metrics is not None:
            listen, metrics_port = self.metrics.address_and_port
            bound.append(("metrics.listen", ipaddress.ip_address(listen), metrics_port))
        for (name, address, port), (other, other_address, other_port) in itertools.combinations(bound, 2):
            if port and port == other_port and _is_same(address, other_address):
                raise ValueError(f"{other}: port {port} of {other_address} is that of {name} already: take another one")
        return self

    def warnings(self) -> list[str]:
        """Return what is allowed and should not stay so, a line each."""
        lines = [
            f"peers: {peer.host} comes without TLS from any address: set tls, or addresses"
            for peer in self.peers
            if not peer.tls and not peer.connect and not peer.addresses
        ]
        grouped = {peer.group for peer in self.peers}
        lines += [f"groups.{name}: no peer is of this group" for name in self.groups if name not in grouped]
        if self.feed is not None and not self.feed.lent_prefix:
            lines.append(
                "feed: before its first page lent identities look like native ones and go to the HSS: set lent_prefix"
            )
        return lines

    def node_config(self) -> NodeConfig:
        """Return what the Diameter node is told."""
        limits = self.limits
        return NodeConfig(
            origin_host=self.node.origin_host,
            origin_realm=self.node.origin_realm,
            listeners=tuple(ListenerConfig(str(row.address), row.port, row.tls) for row in self.listeners),
            peers=tuple(peer_config(peer) for peer in self.peers),
            certificate=self.tls.certificate if self.tls else None,
            private_key=self.tls.private_key if self.tls else None,
            product_name=self.node.product_name,
            watchdog_s=self.node.watchdog_s,
            reconnect_s=self.node.reconnect_s,
            reconnect_max_s=self.node.reconnect_max_s,
            limit_octets=limits.message_octets,
            max_unsent_octets=limits.unsent_octets,
            max_connections=limits.connections,
            log_lines_per_s=limits.log_lines_per_s,
        )

    def neighbours(self, clock: Callable[[], float] = time.monotonic) -> Neighbours:
        """Return the peers as routing sees them."""
        rows = (neighbour(peer, clock, self.hiding, self.groups) for peer in self.peers)
        return Neighbours(rows, self.node.origin_realm, map(routing_rule, self.routing.rules))

    def settings(self, secret: bytes) -> Settings:
        """Return what the proxy is told; ``secret`` hides Session-Ids."""
        limits, budgets = self.limits, self.budgets
        return Settings(
            origin_host=self.node.origin_host,
            origin_realm=self.node.origin_realm,
            home_domains=frozenset(
                domain.encode() for domain in self.routing.home_domains or (self.node.origin_realm,)
            ),
            secret=secret,
            has_feed=self.feed is not None,
            lent_database=Source(self.hss.lent_identities),
            hss_as_default=self.hss.identities == "default",
            server_name=self.hss.server_name,
            prime_with_uar=self.hss.prime_with_uar,
            visited_network=self.hss.visited_network or self.node.origin_realm,
            default_route=self.routing.default_route or "",
            aaa_2_s=budgets.aaa_2_s,
            csc_y_s=budgets.csc_y_s,
            hss_s=budgets.hss_s,
            attempt_s=budgets.attempt_s,
            map_age_max_s=limits.max_map_age_s,
            avps_max=limits.avps,
            pending_max=limits.pending,
            parked_max=limits.parked,
            look_ups_per_s=limits.look_ups_per_s,
            duplicates_max=limits.duplicates,
            duplicates_s=limits.duplicates_s,
            log_lines_per_s=limits.log_lines_per_s,
            hiding_keys=self.hiding.secrets,
            hiding_domains=tuple(domain.encode() for domain in self.hiding.domains or self._own_domains()),
        )

    def _own_domains(self) -> tuple[str, ...]:
        return (self.node.origin_realm, self.node.origin_host.partition(".")[2] or self.node.origin_realm)


def _is_same(one: IpAddress, other: IpAddress) -> bool:
    """Say whether both cannot be bound with one port."""
    return one.version == other.version and (one == other or one.is_unspecified or other.is_unspecified)


def load_config(path: Path) -> Config:
    """Return the file as a value.

    Raises:
        ConfigError: it cannot be read, is not TOML, or breaks a constraint.
    """
    try:
        octets = _read(path)
        if len(octets) > CONFIG_OCTETS_MAX:
            raise ConfigError(f"{path.name}: over {CONFIG_OCTETS_MAX} octets")
        tables = tomllib.loads(octets.decode())
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except RecursionError:
        raise ConfigError(f"{path.name}: arrays or tables are nested too deep") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    except ValueError as exc:  # an integer of more digits than Python reads; after the semicolon it advises programmers
        raise ConfigError(f"{path.name}: {str(exc).partition(';')[0]}") from exc
    return parse_config(tables, name=path.name, folder=path.parent)


def _read(path: Path) -> bytes:
    """Return what a file holds; a FIFO is never opened, which would wait for a writer."""
    if not str(path).startswith(DESCRIPTORS) and (kind := other_kind(path)):
        raise ConfigError(f"{path} is {kind}, not a file")
    with path.open("rb") as file:
        return file.read(CONFIG_OCTETS_MAX + 1)


def parse_config(tables: dict[str, Any], *, name: str = "proxy.toml", folder: Path | None = None) -> Config:
    """Return parsed tables as a value.

    Raises:
        ConfigError: they break a constraint.
    """
    try:
        return Config.model_validate(tables, context={"folder": folder})
    except ValidationError as exc:
        raise ConfigError(f"{name}: {_first_fault(exc)}") from None


def _first_fault(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            what = "no such setting"
        case "missing":
            what = "is missing"
        case "less_than_equal":
            what = f"{_shown(error['input'])} is more than {context['le']}"
        case "greater_than_equal":
            what = f"{_shown(error['input'])} is less than {context['ge']}"
        case "greater_than":
            what = f"{_shown(error['input'])} is not more than {context['gt']}"
        case "finite_number":
            what = f"{error['input']} is no finite number"
        case _:
            what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def _shown(number: object) -> str:
    """Return a number, unless Python refuses to write so many digits."""
    try:
        return str(number)
    except ValueError:
        return "it"
