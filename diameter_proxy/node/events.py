"""What the node tells its program about its peers."""

from dataclasses import dataclass
from enum import Enum


class PeerEventKind(Enum):
    """What happened to a peer."""

    OPEN = "open"
    """It may be used: capabilities exchanged and, when it was down before, three good watchdogs."""
    SUSPECT = "suspect"
    """It is silent: no new requests; pending ones should go to the alternate (RFC 3539 §3.4.1, Failover)."""
    CLOSED = "closed"
    """It may not be used: disconnecting or gone."""


@dataclass(frozen=True, slots=True)
class PeerEvent:
    """A change of one peer's state.

    Attributes:
        origin_state_id: what the peer said in its capabilities; another number than before means that it lost its
            state (RFC 6733 §8.16).
    """

    peer: str
    group: str
    kind: PeerEventKind
    reason: str = ""
    origin_state_id: int | None = None


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How one peer stands at the moment."""

    host: str
    realm: str
    group: str
    state: str
    watchdog: str
    is_open: bool
    tls: bool
    remote_address: str
    origin_state_id: int | None
    application_ids: tuple[int, ...]
    pending_requests: int
    unsent_octets: int
    messages_received: int
    messages_sent: int
    connections_opened: int
    reason: str
