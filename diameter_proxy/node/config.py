"""What a node is told at its start: who it is, where it listens, whom it knows, and every limit."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """An address on which the node accepts connections; port 0 takes a free one."""

    address: str
    port: int = 3868
    tls: bool = False


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """A node that may be our peer.

    Attributes:
        host: its DiameterIdentity, which its certificate must name when ``tls`` is set.
        realm: its Origin-Realm; a CER or CEA that names another is not this peer's.
        connect: we initiate; a peer without it is only accepted.
        address: where to connect to; ``host`` when None.
        tls: TLS 1.3 with certificates on both sides, before the CER (RFC 6733 §13.1).
        tls_1_2: TLS 1.2 will do for this peer, with ECDHE and an AEAD cipher; else 1.3 is wanted.
        ca_file: this peer's own authority: nobody else's leaf is taken for it.
        source_address: local address to connect from.
        addresses: where its connections may come from; anywhere when empty.
        group: what the program calls peers of this kind; the node only carries it.
    """

    host: str
    realm: str
    connect: bool = False
    address: str | None = None
    port: int = 3868
    tls: bool = False
    ca_file: Path | None = None
    source_address: str | None = None
    group: str = ""
    addresses: tuple[Network, ...] = ()
    tls_1_2: bool = False

    def may_come_from(self, address: str) -> bool:
        """Say whether a connection of this peer may have this remote address."""
        if not self.addresses:
            return True
        try:
            remote = ip_address(address.partition("%")[0])
        except ValueError:
            return False  # gone before it was looked at
        mapped = remote.ipv4_mapped if isinstance(remote, IPv6Address) else None
        return any((mapped or remote) in network for network in self.addresses)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One Diameter node.

    Attributes:
        watchdog_s: Tw; RFC 3539 §3.4.1 wants at least 6 s.
        watchdog_probe_s: between the three watchdogs that clear a returned peer.
        reconnect_s: the first wait before a new attempt to connect; it doubles up to ``reconnect_max_s`` (Tc).
        reconnect_unwanted_s: the wait after a DPR of cause BUSY or DO_NOT_WANT_TO_TALK_TO_YOU (RFC 6733 §5.4.3).
        connect_s: for TCP and TLS to come up.
        capabilities_s: for CER or CEA to arrive.
        disconnect_s: for DPA to arrive.
        hold_s: for a first connection to show that it lives when a second is there.
        limit_octets: the longest message.
        max_unsent_octets: per connection; beyond it ``send`` raises PeerCongested and the peer is not read.
        max_connections: accepted at one time.
        sweep_s: how often deadlines are looked at.
        log_lines_per_s: of what a peer can cause, for each peer and reason; the rest is counted.
    """

    origin_host: str
    origin_realm: str
    listeners: tuple[ListenerConfig, ...] = ()
    peers: tuple[PeerConfig, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    product_name: str = "mc-migration"
    vendor_specific_applications: tuple[tuple[int, int], ...] = ((10415, 16777216),)
    watchdog_s: float = 6.0
    watchdog_probe_s: float = 0.05
    reconnect_s: float = 0.2
    reconnect_max_s: float = 5.0
    reconnect_unwanted_s: float = 300.0
    connect_s: float = 5.0
    capabilities_s: float = 5.0
    disconnect_s: float = 1.0
    hold_s: float = 1.0
    limit_octets: int = 1 << 16
    max_unsent_octets: int = 1 << 20
    max_connections: int = 1024
    sweep_s: float = 0.05
    log_lines_per_s: int = 10
