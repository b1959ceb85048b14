"""A Diameter node: listeners, peers, and messages to and from the program that uses it (RFC 6733 §2).

The base protocol stays inside.  ``on_request`` is called synchronously for each request as octets; answers that no
``request`` waits for go to ``on_answer``.  The node knows no application.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import structlog

from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.transactions import EndToEnd
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import REQUEST, apart, with_hop_by_hop
from diameter_proxy.node.admission import Admission
from diameter_proxy.node.base_protocol import BaseProtocol
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.connection import Connection, ConnectionOwner, Output
from diameter_proxy.node.errors import PeerCongested, PeerNotOpen, ReloadRefused, RequestTimeout
from diameter_proxy.node.events import PeerEvent, PeerStatus
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.link import Link
from diameter_proxy.node.listener import Listener
from diameter_proxy.node.sender import Sender

if TYPE_CHECKING:
    from diameter_proxy.node.tls import TlsIdentities

OnMessage = Callable[[str, bytes], None]
OnMessages = Callable[[str, list[bytes]], list[bytes]]
OnPeer = Callable[[PeerEvent], None]

_random = random.Random()  # noqa: S311 - it spreads watchdogs, it keeps no secret; asked at each read, it must be cheap
_NOT_WANTED = DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU


class Node:
    """One Diameter node on the running event loop."""

    def __init__(
        self,
        config: NodeConfig,
        on_request: OnMessage,
        on_peer: OnPeer,
        on_answer: OnMessage | None = None,
        on_messages: OnMessages | None = None,
        on_connection: Callable[[str], None] = lambda peer: None,
    ) -> None:
        """Take whom to tell.

        ``on_messages`` sees all runs of a read first and returns messages that it leaves; ``on_connection`` hears of
        each connection of a peer before any message of it.
        """
        self.config = config
        self._on_request = on_request
        self._on_peer = on_peer
        self._on_answer = on_answer
        self._on_messages = on_messages
        self._on_connection = on_connection
        now_s = int(time.time())
        self._base = BaseProtocol(config, origin_state_id=now_s)
        self._end_to_end = EndToEnd(now_s, _random.getrandbits(20))
        self._limited_log = LimitedLog(self.now, config.log_lines_per_s)
        sender = Sender(self._base, self._end_to_end)
        self._sender = sender
        self._links = {peer.host.lower(): self._link(peer) for peer in config.peers}
        self._by_name = {link.peer.host: link for link in self._links.values()}
        self._retired: list[Link] = []
        self._identities: TlsIdentities | None = None
        self._listeners: list[Listener] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Listen, and begin to connect.

        Raises:
            ListenFailed: an address cannot be listened on.
            TlsMisconfigured: a file that TLS needs is of no use.
        """
        self._loop = asyncio.get_running_loop()
        self._output = Output(self._loop)
        config = self.config
        self._identities = tls_identities(config)
        server_context = self._identities.server_context if self._identities else None
        self._admission = Admission(
            self._links,
            self._base,
            self._identities,
            self._limited_log,
            connections_max=config.max_connections,
            capabilities_s=config.capabilities_s,
            now=self.now,
        )
        try:
            for listener in config.listeners:
                context = server_context if listener.tls else None
                self._listeners.append(
                    Listener(
                        listener,
                        lambda: self._connection(self._admission),
                        context,
                        self._limited_log,
                        handshake_s=config.connect_s,
                        handshakes_max=config.max_connections,
                    )
                )
        except BaseException:
            await self._stop_listening()
            raise
        for started in self._listeners:
            started.start()
        for link in self._links.values():
            link.start()
        self._tick()

    def reload(self, config: NodeConfig, identities: "TlsIdentities | None") -> None:
        """Take over peers, limits and certificates; a peer whose row is unchanged keeps its connection.

        ``identities`` are those of the new configuration (``tls_identities``, which reads files).  Peers that are gone
        hear a DPR; those whose row changed too, and are connected to anew.  Limits on octets hold for new connections.

        Raises:
            ReloadRefused: our identity or the listeners would change; nothing was taken over.
        """
        old = self.config
        if (config.origin_host, config.origin_realm) != (old.origin_host, old.origin_realm):
            raise ReloadRefused("node: another Origin-Host or Origin-Realm takes a restart")
        if config.listeners != old.listeners:
            raise ReloadRefused("listeners: a change takes a restart")
        self.config, self._identities = config, identities
        self._admission.use(identities, config.max_connections)
        for listener in self._listeners:
            listener.use(identities.server_context if identities else None)
        wanted = {peer.host: peer for peer in config.peers}
        for host, link in list(self._by_name.items()):
            if wanted.get(host) != link.peer:
                self._retire(host, DisconnectCause.REBOOTING if host in wanted else _NOT_WANTED)
        for host, peer in wanted.items():
            if host not in self._by_name:
                self._links[host.lower()] = self._by_name[host] = link = self._link(peer)
                link.start()

    def _retire(self, host: str, cause: DisconnectCause) -> None:
        link = self._by_name.pop(host)
        del self._links[host.lower()]
        self._retired.append(link)
        link.stop(cause)

    def _link(self, peer: PeerConfig) -> Link:
        return Link(peer, self.config, self._sender, self, lambda: _random.uniform(-1, 1), self._limited_log)

    async def stop(self, cause: DisconnectCause = DisconnectCause.REBOOTING, deadline_s: float = 2.0) -> None:
        """Stop listening, send DPR to all peers (RFC 6733 §5.4), wait for their DPA until the deadline, then drop."""
        await self._stop_listening()
        self._admission.close()
        links = [*self._links.values(), *self._retired]
        for link in links:
            link.stop(cause)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while not all(link.is_closed for link in links):
                    self._closed.clear()
                    await self._closed.wait()
        for link in links:
            link.abort()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)

    @property
    def listen(self) -> list[str]:
        """Each "address:port" really bound, in the order of the configuration."""
        return [listener.address for listener in self._listeners]

    @property
    def peers(self) -> Mapping[str, PeerStatus]:
        """How each configured peer stands, by host."""
        return {host: link.status() for host, link in self._by_name.items()}

    def is_open(self, peer: str) -> bool:
        """Say whether new requests may be sent to this peer."""
        link = self._by_name.get(peer)
        return link is not None and link.is_open

    def is_ready(self, peer: str) -> bool:
        """Say whether a request to this peer would be sent at once."""
        link = self._by_name.get(peer)
        return link is not None and link.is_open and link.connection is not None and not link.connection.is_congested

    def next_end_to_end(self) -> int:
        """Return an End-to-End Identifier for a request of our own (RFC 6733 §3)."""
        return self._end_to_end.next()

    def next_hop_by_hop(self, peer: str) -> int:
        """Return a Hop-by-Hop Identifier that is new on this peer's connection (RFC 6733 §3).

        Raises:
            PeerNotOpen: there is no connection.
        """
        return self._connected(peer).hop_by_hop.next()

    def reserve_hop_by_hop(self, peer: str, count: int) -> int | None:
        """Return the first of as many Hop-by-Hop Identifiers in a row that are new on this peer's connection.

        None where a request would not be sent at once, as ``is_ready`` says.
        """
        link = self._by_name.get(peer)
        if link is None or link.connection is None:
            return None
        if link.connection.is_congested or not link.is_open:
            return None
        return link.connection.hop_by_hop.reserve(count)

    def send_all(self, peer: str, octets: bytes, count: int) -> None:
        """Send so many messages, side by side, as long as there is a connection.

        Whether requests may be sent, ``is_ready`` says.

        Raises:
            PeerNotOpen: there is none.
        """
        link = self._by_name.get(peer)
        if link is None or link.connection is None:
            raise PeerNotOpen(peer)
        link.sent_count += count
        link.connection.write(octets)

    def send(self, peer: str, octets: bytes) -> None:
        """Send a message as it is; requests only to an open peer, answers as long as there is a connection.

        Raises:
            PeerNotOpen: neither is so.
            PeerCongested: over ``max_unsent_octets`` wait for it.
        """
        link = self._by_name.get(peer)
        connection = link.connection if link is not None else None
        if link is None or connection is None or (octets[4] & REQUEST and not link.is_open):
            raise PeerNotOpen(peer)
        if connection.is_congested:
            raise PeerCongested(peer)
        link.sent_count += 1
        connection.write(octets)

    async def request(self, peer: str, octets: bytes, deadline_s: float) -> bytes:
        """Send a request of our own and return its answer; the Hop-by-Hop Identifier is set here.

        Raises:
            PeerNotOpen: the peer is not open.
            PeerCongested: over ``max_unsent_octets`` wait for it.
            RequestTimeout: no answer came in time.
            PeerLost: the connection went down before the answer came.
        """
        connection = self._connected(peer)
        hop_by_hop = connection.hop_by_hop.next()
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self.send(peer, with_hop_by_hop(octets, hop_by_hop))
        connection.pending.add(hop_by_hop, answer, self.now() + deadline_s)
        try:
            return await answer
        finally:
            connection.pending.take(hop_by_hop)

    def pause_source(self, source: str, destination: str) -> None:
        """Read no more from ``source`` until ``destination``, which is congested, has drained or is gone."""
        to, origin = self._by_name.get(destination), self._by_name.get(source)
        if to is None or origin is None or to.connection is None or origin.connection is None:
            return
        reader, writer = origin.connection, to.connection
        if reader is writer or not writer.is_congested or reader.is_paused_for(writer):
            return
        reader.pause_reading(writer)
        writer.on_drained.append(lambda: reader.resume_reading(writer))

    # What links and listeners ask.

    def now(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def on_connection(self, peer: str) -> None:
        """Tell the program that a peer has another connection than before."""
        self._on_connection(peer)

    def on_peer(self, event: PeerEvent) -> None:
        """Pass an event on."""
        self._on_peer(event)

    def on_closed(self) -> None:
        """Take note that a link has no transport any more."""
        self._closed.set()

    def on_messages(self, peer: str, runs: list[bytes]) -> list[bytes]:
        """Show the messages of one read to the program; return those that it leaves to be handled one by one."""
        if self._on_messages is None:
            return apart(runs)
        try:
            return self._on_messages(peer, runs)
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            messages = apart(runs)
            self._log.exception("read.failed", peer=peer, messages=len(messages))
            return messages

    def on_request(self, peer: str, octets: bytes) -> None:
        """Pass a request on; the boundary of one request: whatever goes wrong in it costs only that request."""
        try:
            self._on_request(peer, octets)
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            self._log.exception("request.failed", peer=peer, hop_by_hop=octets[12:16].hex())
            self._answer_5012(peer, octets)

    def on_answer(self, peer: str, octets: bytes) -> None:
        """Pass an answer on that no ``request`` waits for; without a receiver it is discarded (RFC 6733 §6.2.1)."""
        if self._on_answer is None:
            return
        try:
            self._on_answer(peer, octets)
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            self._log.exception("answer.failed", peer=peer, hop_by_hop=octets[12:16].hex())

    def connect(self, link: Link) -> "asyncio.Task[None]":
        """Begin to connect to a peer; the link hears what became of it."""
        return self._loop.create_task(self._connect(link))

    async def _connect(self, link: Link) -> None:
        peer = link.peer
        address = peer.address or peer.host
        context = self._identities.client_context(peer) if peer.tls and self._identities else None
        try:
            _, connection = await self._loop.create_connection(
                lambda: self._connection(link),
                address,
                peer.port,
                ssl=context,
                server_hostname=peer.host if context else None,
                ssl_handshake_timeout=self.config.connect_s if context else None,
                ssl_shutdown_timeout=1.0 if context else None,
                local_addr=(peer.source_address, 0) if peer.source_address else None,
            )
        except OSError as exc:  # ssl.SSLError and TimeoutError are some
            link.connect_failed(f"{address}:{peer.port}: {exc}")
            return
        self._take_connected(link, connection)

    def _take_connected(self, link: Link, connection: Connection) -> None:
        if link.peer.tls and not self._is_authentic(link, connection):
            connection.close()
            link.connect_failed("its certificate was not issued by its own authority")
        elif connection.is_closed:
            link.connect_failed("closed before CEA: closed by the peer")
        else:
            link.connected(connection)

    def _is_authentic(self, link: Link, connection: Connection) -> bool:
        assert self._identities is not None, "TLS was set up at the start"
        connection.authenticated = self._identities.authenticated(connection.tls)
        return link.peer.host.lower() in connection.authenticated

    def _connection(self, owner: ConnectionOwner) -> Connection:
        return Connection(
            owner,
            self._output,
            hop_by_hop=_random.getrandbits(32),
            limit_octets=self.config.limit_octets,
            max_unsent_octets=self.config.max_unsent_octets,
        )

    def _connected(self, peer: str) -> Connection:
        link = self._by_name.get(peer)
        if link is None or link.connection is None:
            raise PeerNotOpen(peer)
        return link.connection

    def _answer_5012(self, peer: str, octets: bytes) -> None:
        try:
            self.send(peer, self._base.answer(octets, ResultCode.UNABLE_TO_COMPLY))
        except (DiameterError, PeerNotOpen, PeerCongested) as exc:
            self._log.warning("answer.discarded", peer=peer, reason=str(exc))

    def _tick(self) -> None:
        """Sweep all deadlines: no message has a timer of its own."""
        now = self.now()
        self._admission.tick(now)
        self._limited_log.sweep(now)
        self._retired = [link for link in self._retired if not link.is_closed]
        for link in (*self._by_name.values(), *self._retired):
            link.tick(now)
            if link.connection is not None:
                _expire(link.connection.pending.expired(now))
        self._timer = self._loop.call_later(self.config.sweep_s, self._tick)

    async def _stop_listening(self) -> None:
        for listener in self._listeners:
            await listener.stop()
        self._listeners = []


def tls_identities(config: NodeConfig) -> "TlsIdentities | None":
    """Read what TLS needs; None where nothing needs it.

    Raises:
        TlsMisconfigured: a file is of no use.
    """
    if not any(peer.tls for peer in config.peers) and not any(listener.tls for listener in config.listeners):
        return None
    # cryptography.x509 takes 50 ms to load, which a node without TLS need not spend
    from diameter_proxy.node.tls import TlsIdentities

    return TlsIdentities(config)


def _expire(futures: Iterable["asyncio.Future[bytes]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(RequestTimeout("no answer in time"))
