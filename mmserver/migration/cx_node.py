"""The Cx server on a Diameter node: requests in, answers out, RTRs with their deadline.

Joins ``cx``, ``deregistration`` and ``sip_database`` to the shell; decides nothing about Cx.
"""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.node.certificate import TlsMisconfigured
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError
from diameter_proxy.node.events import PeerEvent
from diameter_proxy.node.listener import ListenFailed as NodeListenFailed
from diameter_proxy.node.node import Node, tls_identities
from mmserver.http.server import ListenFailed
from mmserver.http.tls import TlsError
from mmserver.migration.config import DiameterTable, MmsConfig, SipDatabaseTable
from mmserver.migration.cx import CxServer
from mmserver.migration.deregistration import Deregistration, RequestFailed
from mmserver.migration.sip_database import SipDatabase

if TYPE_CHECKING:
    from diameter_proxy.node.tls import TlsIdentities

UNDER_WAY_MAX: Final = 1000
"""Requests being answered at one time; more are told TOO_BUSY."""

STOP_DEADLINE_S: Final = 1.0

log = structlog.get_logger()


class CxNode:
    """Listens for our own Diameter proxies and speaks Cx with them."""

    def __init__(self, config: MmsConfig, server: CxServer) -> None:
        ours, asked = config.diameter, config.sip_database
        self._server = server
        self._peers = ours.peers
        self._under_way: set[asyncio.Task[None]] = set()
        self._node = Node(_node_config(config), self._on_request, self._on_peer)
        next_end_to_end = self._node.next_end_to_end
        self.deregistration = Deregistration(
            ours, request=self._request, open_peers=self.open_peers, next_end_to_end=next_end_to_end
        )
        self.sip_database: SipDatabase | None = None
        if asked is not None:
            domain = config.system.home_domain
            self.sip_database = SipDatabase(asked, ours, domain, request=self._request, next_end_to_end=next_end_to_end)

    @property
    def listen(self) -> list[str]:
        """The addresses really bound."""
        return list(self._node.listen)

    def open_peers(self) -> tuple[str, ...]:
        """Return the proxies that are connected now."""
        return tuple(peer for peer in self._peers if self._node.is_open(peer))

    def is_open(self, peer: str) -> bool:
        """Say whether that peer, a proxy or the SIP database, is connected now."""
        return self._node.is_open(peer)

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            ListenFailed: the address cannot be bound.
        """
        try:
            await self._node.start()
        except NodeListenFailed as exc:
            raise ListenFailed(str(exc)) from exc

    def read_tls(self, config: MmsConfig) -> "tuple[NodeConfig, TlsIdentities | None]":
        """Read the certificates of the connection to the SIP database again, for ``take_up``; blocks.

        Raises:
            TlsError: one of them is of no use.
        """
        node = _node_config(config)
        try:
            return node, tls_identities(node)
        except TlsMisconfigured as exc:
            raise TlsError(str(exc)) from exc

    def take_up(self, read: "tuple[NodeConfig, TlsIdentities | None]") -> None:
        """Connect with these certificates from now on; connections that are open stay."""
        self._node.reload(*read)

    async def stop(self) -> None:
        """Answer what is under way, say DPR to the peers, close."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_DEADLINE_S)
        await self._node.stop(DisconnectCause.REBOOTING, STOP_DEADLINE_S)

    def _on_request(self, peer: str, octets: bytes) -> None:
        if len(self._under_way) >= UNDER_WAY_MAX:
            self._send(peer, self._server.busy(octets))
            return
        task = asyncio.get_running_loop().create_task(self._answer(peer, octets))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, peer: str, octets: bytes) -> None:
        answer = await self._server.answer(octets)
        if answer is not None:
            self._send(peer, answer)

    def _send(self, peer: str, octets: bytes) -> None:
        try:
            self._node.send(peer, octets)
        except NodeError as exc:
            log.warning("answer.dropped", peer=peer, reason=str(exc))

    def _on_peer(self, event: PeerEvent) -> None:
        log.info(f"peer.{event.kind.value}", peer=event.peer, reason=event.reason)

    async def _request(self, peer: str, octets: bytes, deadline_s: float) -> bytes:
        try:
            return await self._node.request(peer, octets, deadline_s)
        except NodeError as exc:
            raise RequestFailed(f"{type(exc).__name__}: {exc}") from exc


def _node_config(config: MmsConfig) -> NodeConfig:
    ours, asked = config.diameter, config.sip_database
    peers = [PeerConfig(peer, ours.origin_realm, group="proxy") for peer in ours.peers]
    if asked is not None:
        peers.append(_sip_database_peer(asked, ours))
    return NodeConfig(
        origin_host=ours.origin_host,
        origin_realm=ours.origin_realm,
        listeners=(ListenerConfig(ours.address, ours.port),),
        peers=tuple(peers),
        certificate=config.tls.certificate,
        private_key=config.tls.private_key,
    )


def _sip_database_peer(asked: SipDatabaseTable, ours: DiameterTable) -> PeerConfig:
    return PeerConfig(
        host=asked.host,
        realm=asked.realm or ours.origin_realm,
        connect=True,
        address=asked.address,
        port=asked.port,
        tls=asked.ca is not None,
        ca_file=asked.ca,
        group="sip-database",
    )
