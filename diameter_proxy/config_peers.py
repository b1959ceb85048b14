"""``[[peers]]``, ``[hiding]`` and ``[routing]`` of ``proxy.toml``, and what node and proxy make of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, IPvAnyAddress, IPvAnyNetwork, PrivateAttr, model_validator

from diameter_proxy.config_groups import NO_GROUPS, AllowTable, CommandName, GroupName, Groups, limits_in_words
from diameter_proxy.config_types import ConfigFile, DiameterIdentity, Integer, Port, SystemName, Table, Transport
from diameter_proxy.node.config import PeerConfig
from diameter_proxy.peers import Neighbour
from diameter_proxy.permits import Permit
from diameter_proxy.routing import NAMES, Source
from diameter_proxy.routing_rules import Rule

KEY_OCTETS_MIN: Final = 32
KEY_OCTETS_MAX: Final = 4096
CODES: Final = {name: code for code, name in NAMES.items()}


class PeerTable(AllowTable):
    """``[[peers]]``: a node that may be our peer."""

    host: DiameterIdentity
    realm: DiameterIdentity
    group: GroupName
    system: Annotated[SystemName | None, Field(description="A partner's MC system.")] = None
    tls: bool = False
    tls_1_2: Annotated[bool, Field(description="TLS 1.2 will do; never for a partner.")] = False
    transport: Annotated[Transport, Field(description="TCP; TLS runs over it.")] = "tcp"
    ca: Annotated[ConfigFile | None, Field(description="The peer's own CA: nobody else's leaf is taken.")] = None
    connect: bool = False
    address: IPvAnyAddress | None = None
    port: Port = 3868
    source_address: IPvAnyAddress | None = None
    priority: Annotated[Integer, Field(ge=0, le=1000, description="The lower is tried before the higher.")] = 0
    weight: Annotated[
        int, Field(ge=0, le=100, description="Share among peers of one priority; 0: in the order of the file.")
    ] = 0
    realms: Annotated[
        tuple[DiameterIdentity, ...],
        Field(max_length=256, description="An agent: the realms beside its own that are reached through it."),
    ] = ()
    addresses: Annotated[
        tuple[IPvAnyNetwork, ...], Field(max_length=64, description="Where its connections may come from.")
    ] = ()
    allow_plain: Annotated[bool, Field(description="A partner without TLS: its link is protected otherwise.")] = False

    hide_names: Annotated[
        bool | None, Field(description="Names of our inside are hidden from it; default: as hiding.groups says.")
    ] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.vouches_for and (self.group != "partner" or self.system is not None):
            raise ValueError("vouches_for is for a partner without a system of its own: an agent")
        if self.realms and self.group != "agent":
            raise ValueError("realms is for a peer of the group agent")
        if self.group == "partner" and not (self.tls or self.allow_plain):
            raise ValueError("CSC-Y is TLS: set tls, or allow_plain where the link is protected otherwise")
        if self.tls_1_2 and (self.group == "partner" or not self.tls):
            raise ValueError("tls_1_2 is for a peer with tls, and CSC-Y is TLS 1.3")
        if self.tls and self.ca is None:
            raise ValueError("tls needs the peer's ca")
        if self.hide_names is not None and self.group == "partner":
            raise ValueError("hide_names is not for a partner: no name of the inside ever crosses CSC-Y")
        return self

    def of_group(self, groups: Groups) -> Self:
        """Return this row with what its group states and the row does not.

        Raises:
            ValueError: it is a partner of no system, and neither it nor its group vouches for any.
        """
        own_system = frozenset({"vouches_for"}) if self.system is not None else frozenset[str]()
        whole = self.completed_by(groups.get(self.group), but=own_system)
        if self.group == "partner" and self.system is None and not whole.vouches_for:
            raise ValueError(
                "a partner needs the name of its system, or vouches_for where it is an agent, here or in groups.partner"
            )
        return whole


class HidingTable(Table):
    """``[hiding]``: from whom names of our inside are hidden, and under which keys."""

    keys: Annotated[
        tuple[ConfigFile, ...],
        Field(max_length=8, description="Files of 32 octets or more: the first one hides, all restore."),
    ] = ()
    groups: Annotated[
        tuple[Literal["cscf", "hss", "mms", "agent"], ...], Field(description="Groups whose peers are hidden from.")
    ] = ()
    domains: Annotated[
        tuple[DiameterIdentity, ...],
        Field(max_length=64, description="Domains of the inside; default: the origin realm, the domain of our host."),
    ] = ()
    _secrets: tuple[bytes, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _read_keys(self) -> Self:
        self._secrets = tuple(_key_of(path) for path in self.keys)
        return self

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What stood in the files of ``keys`` when the configuration was read."""
        return self._secrets

    def hides_from(self, peer: PeerTable) -> bool:
        """Say whether names of our inside are hidden from a peer."""
        return peer.group in self.groups if peer.hide_names is None else peer.hide_names


def _key_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(KEY_OCTETS_MAX)
    except OSError as exc:
        raise ValueError(f"keys: {path}: {exc.strerror or exc}") from exc
    if len(octets) < KEY_OCTETS_MIN:
        raise ValueError(f"keys: {path} has {len(octets)} octets, {KEY_OCTETS_MIN} are needed")
    return octets


class RuleTable(Table):
    """``[[routing.rules]]``: who serves what goes to the HSS or from agent to agent; the first that fits."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    peers: Annotated[tuple[DiameterIdentity, ...], Field(min_length=1, max_length=64)]
    realm: Annotated[DiameterIdentity | None, Field(description="Destination-Realm.")] = None
    application: Annotated[Integer, Field(ge=0, le=0xFFFFFFFF, description="0: any.")] = 0
    commands: Annotated[tuple[CommandName, ...], Field(description="Empty: any.")] = ()
    identity: Annotated[
        str, Field(max_length=255, description="Pattern with * and ? for the User-Name, else the Public-Identity.")
    ] = ""


class RoutingTable(Table):
    """``[routing]``: who our own users are, and where all others go."""

    home_domains: Annotated[
        tuple[DiameterIdentity, ...], Field(description="Domains of our own users; default: the origin realm.")
    ] = ()
    default_route: Annotated[
        DiameterIdentity | None, Field(description="A peer for identities that are neither ours nor lent.")
    ] = None
    rules: tuple[RuleTable, ...] = ()


def peer_config(peer: PeerTable) -> PeerConfig:
    """Return a row as the node takes it."""
    return PeerConfig(
        host=peer.host,
        realm=peer.realm,
        connect=peer.connect,
        address=None if peer.address is None else str(peer.address),
        port=peer.port,
        tls=peer.tls,
        ca_file=peer.ca,
        source_address=None if peer.source_address is None else str(peer.source_address),
        group=peer.group,
        addresses=peer.addresses,
        tls_1_2=peer.tls_1_2,
    )


def neighbour(row: PeerTable, clock: Callable[[], float], hiding: HidingTable, groups: Groups = NO_GROUPS) -> Neighbour:
    """Return a row as routing takes it, with what its group states and the row does not."""
    peer = row.of_group(groups)
    is_limited = peer.commands or peer.origin_realms or peer.identity_domains or peer.requests_per_s
    permit = Permit(
        clock,
        commands=frozenset(CODES[name] for name in peer.commands),
        origin_realms=frozenset(realm.encode() for realm in peer.origin_realms),
        identity_domains=frozenset(domain.encode() for domain in peer.identity_domains),
        requests_per_s=peer.requests_per_s,
        burst=peer.burst,
    )
    return Neighbour(
        host=peer.host,
        realm=peer.realm,
        source=Source(peer.group),
        system=peer.system or "",
        vouches_for={realm.encode(): system for system, realm in peer.vouches_for.items()},
        priority=peer.priority,
        weight=peer.weight,
        permit=permit if is_limited else None,
        realms=frozenset(realm.encode() for realm in peer.realms),
        hides_names=hiding.hides_from(peer),
        limits=limits_in_words(row, peer, f"groups.{peer.group}"),
    )


def routing_rule(rule: RuleTable) -> Rule:
    """Return a rule as routing takes it."""
    return Rule(
        name=rule.name,
        peers=rule.peers,
        realm=(rule.realm or "").encode(),
        application=rule.application,
        commands=frozenset(CODES[name] for name in rule.commands),
        identity=rule.identity,
    )
