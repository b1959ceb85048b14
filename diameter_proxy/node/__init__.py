"""The Diameter shell: asyncio and ssl around the Diameter leaf (RFC 6733); it knows no application."""

from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError, PeerCongested, PeerLost, PeerNotOpen, RequestTimeout
from diameter_proxy.node.events import PeerEvent, PeerEventKind, PeerStatus
from diameter_proxy.node.listener import ListenFailed
from diameter_proxy.node.node import Node

__all__ = [
    "ListenFailed",
    "ListenerConfig",
    "Node",
    "NodeConfig",
    "NodeError",
    "PeerConfig",
    "PeerCongested",
    "PeerEvent",
    "PeerEventKind",
    "PeerLost",
    "PeerNotOpen",
    "PeerStatus",
    "RequestTimeout",
]
