"""The running program: the node, the proxy, the feed, metrics and the admin socket, from start to a clean stop."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from diameter_proxy.awake import Wakefulness
from diameter_proxy.bindings_feed import BindingsFeed, FeedFiles, forget, read_feed_files
from diameter_proxy.config import Config, ConfigError, load_config
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.feed_page import FeedError
from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.hot_path import TICK_S
from diameter_proxy.logs import tell
from diameter_proxy.node.certificate import TlsMisconfigured
from diameter_proxy.node.errors import ReloadRefused
from diameter_proxy.node.events import PeerEvent, PeerEventKind
from diameter_proxy.node.listener import ListenFailed
from diameter_proxy.node.node import Node, tls_identities
from diameter_proxy.proxy import Proxy
from diameter_proxy.reading import aside
from diameter_proxy.service_manager import notify
from diameter_proxy.side_doors import SideDoors

if TYPE_CHECKING:
    from diameter_proxy.node.tls import TlsIdentities

    _Files = tuple[Config, TlsIdentities | None, FeedFiles | None]

DRAIN_S: Final = 2.0
FIRST_LOAD_S: Final = 1.0
"""Before the first page the lent range is not known: peers wait so long at most, so that a restart misroutes nobody."""


YOUNG_OBJECTS: Final = 50_000
"""So many more objects must be there than before until cycles are looked for among the new ones.

A request and what is remembered of it are some objects, none of them in a cycle; with Python's 700 the search for
cycles among them took a sixth of the processor time of a busy proxy.
"""


class StartFailed(Exception):
    """An address cannot be listened on, or a certificate file is of no use; the text is one line."""


class ProxyServer:
    """One Diameter proxy process."""

    def __init__(self, config: Config, path: Path | None = None, wakefulness: Wakefulness | None = None) -> None:
        """Take the file that the configuration came from, to be read again on SIGHUP, and how the loop waits."""
        self._path: Final = path
        self._config = config
        self._secret: Final = os.urandom(32)
        self._log: Final = structlog.get_logger()
        self._reloading: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[_Files] | None = None
        """What a reload waits for; a stop does not."""
        self._timer: asyncio.TimerHandle | None = None
        self.node: Final = Node(
            config.node_config(),
            self._on_request,
            self._on_peer,
            self._on_answer,
            self._on_messages,
            self._on_connection,
        )
        self._feed: BindingsFeed | None = None
        self._changing: Final = asyncio.Lock()
        """Held through a reload and a stop: one of them at a time."""
        self._own: Final = frozenset(
            peer.host for peer in config.peers if peer.connect and peer.realm == config.node.origin_realm
        )
        self._own_open: Final = asyncio.Event()
        self._drained: Final = asyncio.Event()
        self.proxy: Final = Proxy(
            config.settings(self._secret),
            config.neighbours(),
            self.node,
            look_up=self._look_up,
            home_deregistration=self._home_deregistration,
            used=self._used,
            clock=time.monotonic,
            wall_clock=time.time,
        )
        self._wakefulness: Final = wakefulness or Wakefulness()
        self._wakefulness.awaited = self.proxy.forwarder.pending
        self._wakefulness.longest_s = config.node.awake_s
        self._doors: Final = SideDoors(
            self.proxy, self.node, lambda: self._feed_status, self._reload_again, self._wakefulness
        )

    async def start(self) -> None:
        """Load the identity map if the MMS is there, listen and begin to connect.

        Raises:
            StartFailed: an address cannot be listened on, a certificate file is of no use.
        """
        gc.set_threshold(YOUNG_OBJECTS, 20, 20)
        try:
            files = read_feed_files(self._config)
        except FeedError as exc:
            raise StartFailed(str(exc)) from exc
        if files is not None:
            self._feed = BindingsFeed(self._config, files, self.proxy)
            self._feed.start()
            if not await self._feed.wait_until_loaded(FIRST_LOAD_S):
                self._log.warning("feed.awaited", within_s=FIRST_LOAD_S)
        try:
            await self._start_node()
            self._sweep()
        except StartFailed:
            await self._stop_feed()
            raise
        try:
            await self._doors.change(self._config)
        except ReloadRefused as exc:
            await self.stop()
            raise StartFailed(str(exc)) from exc

    async def _start_node(self) -> None:
        try:
            await self.node.start()
        except (ListenFailed, TlsMisconfigured) as exc:
            raise StartFailed(str(exc)) from exc

    async def _stop_feed(self) -> None:
        if self._feed is not None:
            await self._feed.stop()

    async def _reload_again(self) -> None:
        await self.reload(self._path)

    def hang_up(self) -> None:
        """Read the file again (SIGHUP); a file that cannot be used is logged, and all stays as it was."""
        self._reloading = asyncio.get_running_loop().create_task(self._reload_or_say())

    async def _reload_or_say(self) -> None:
        with contextlib.suppress(ReloadRefused):
            await self._reload_again()

    async def reload(self, path: Path | None) -> None:
        """Read the file again and take it over; open peers stay open.

        This is the boundary of a reload: whatever goes wrong is logged in one line, and said to whoever asked.

        Raises:
            ReloadRefused: the file cannot be used, or something in it takes a restart; all stays as it was.
        """
        try:
            async with self._changing:
                await self._reload(path)
        except (ReloadRefused, ConfigError, TlsMisconfigured, FeedError) as exc:
            raise self._refused(str(exc)) from exc
        except Exception as exc:
            raise self._refused(f"{type(exc).__name__}: {exc}") from exc

    def _refused(self, reason: str) -> ReloadRefused:
        self._log.error("reload.refused", reason=reason)
        return ReloadRefused(reason)

    async def _reload(self, path: Path | None) -> None:
        if path is None:
            raise ReloadRefused("there is no file to read again")
        config, identities, feed_files = await self._read(path)
        if config.node.system != self._config.node.system:
            raise ReloadRefused("node.system: a change takes a restart")
        settings, neighbours = config.settings(self._secret), config.neighbours()
        feed = await self._feed_for(config, feed_files)
        try:
            await self._doors.change(config)
            self.node.reload(config.node_config(), identities)
        except Exception:
            await self._go_back(feed)
            raise
        self.proxy.reconfigure(settings, neighbours)
        self._wakefulness.longest_s = config.node.awake_s
        self._config = config
        await self._follow(feed)
        self._log.info("config.reloaded", peers=len(config.peers))

    async def _read(self, path: Path) -> "_Files":
        """Return what the files say; a stop ends the waiting for them.

        Raises:
            ConfigError, TlsMisconfigured, FeedError: they cannot be used.
            ReloadRefused: the proxy ends.
        """
        if self.proxy.is_draining:
            raise ReloadRefused("the proxy ends")
        reading = self._reading = asyncio.get_running_loop().create_task(aside(lambda: _read_files(path)))
        await asyncio.wait([reading])
        if reading.cancelled():
            raise ReloadRefused("the proxy ends")
        return reading.result()

    async def _go_back(self, feed: BindingsFeed | None) -> None:
        """Have all as it was before a reload that was refused; ``feed`` is the one that it would have had."""
        if feed is not None and self._feed is None:
            await feed.stop()
            await forget(self.proxy, "the reload was refused")
        await self._doors.change(self._config)

    async def _feed_for(self, config: Config, files: FeedFiles | None) -> BindingsFeed | None:
        """Return the feed that a configuration wants: the one that we have where nothing of it has changed.

        The first one is followed at once: its map is whole before the first request depends on it.
        """
        if files is None or (self._feed is not None and self._feed.basis == files.basis):
            return self._feed if files is not None else None
        feed = BindingsFeed(config, files, self.proxy)
        if self._feed is None:
            feed.start()
            if not await feed.wait_until_loaded(FIRST_LOAD_S):
                self._log.warning("feed.awaited", within_s=FIRST_LOAD_S)
        return feed

    async def _follow(self, feed: BindingsFeed | None) -> None:
        old, self._feed = self._feed, feed
        if old is None or old is feed:
            return
        await old.stop()
        if feed is None:
            await forget(self.proxy, "there is no feed any more")
            return
        feed.take_over(old)
        feed.start()

    async def stop(self) -> None:
        """Take no new requests (3004: peers go elsewhere), let those under way end, then say good-bye to all peers."""
        self.proxy.is_draining = True
        if self._reading is not None:
            self._reading.cancel()
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        if self.proxy.pending_count:
            self._drained.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), DRAIN_S)
        if self._timer is not None:
            self._timer.cancel()
        await self._doors.close()
        await self._stop_feed()
        await self.node.stop(DisconnectCause.REBOOTING, DRAIN_S)

    async def wait_for_own_system(self, within_s: float) -> bool:
        """Wait until our own HSS and MMS are open and the map is whole, and say so; or until the time is over.

        Before that a lent identity is 3002.  A dead HSS or MMS must not stop us, nor a map that takes long to read.
        """
        try:
            async with asyncio.timeout(within_s):
                if self._own:
                    await self._own_open.wait()
                return self._feed is None or await self._feed.wait_until_loaded(within_s)
        except TimeoutError:
            return False

    @property
    def _feed_status(self) -> FeedStatus | None:
        return None if self._feed is None else self._feed.status

    @property
    def metrics_port(self) -> int | None:
        """The port of the metrics, where there are any."""
        return self._doors.metrics_port

    @property
    def listen(self) -> list[str]:
        """Each "address:port" that is really bound."""
        return self.node.listen

    def _on_messages(self, peer: str, runs: list[bytes]) -> list[bytes]:
        return self.proxy.receive(peer, runs)

    def _on_request(self, peer: str, octets: bytes) -> None:
        self.proxy.receive_request(peer, octets)

    def _on_answer(self, peer: str, octets: bytes) -> None:
        self.proxy.receive_answer(peer, octets)

    def _on_connection(self, peer: str) -> None:
        self.proxy.peer_connected(peer)

    def _on_peer(self, event: PeerEvent) -> None:
        self._log.info(f"peer.{event.kind.value}", peer=event.peer, group=event.group, reason=event.reason)
        if event.kind is PeerEventKind.OPEN and all(self.node.is_open(peer) for peer in self._own):
            self._own_open.set()
        if event.kind is PeerEventKind.OPEN:
            self.proxy.peer_opened(event.peer, event.origin_state_id)
        else:
            self.proxy.peer_lost(event.peer, is_closed=event.kind is PeerEventKind.CLOSED)

    def _look_up(self, identity: bytes) -> None:
        if self._feed is not None:
            self._feed.look_up(identity)

    def _home_deregistration(self, impi: bytes, impus: tuple[bytes, ...]) -> None:
        if self._feed is not None:
            self._feed.report_home_deregistration(impi, impus)

    def _used(self, binding: str) -> None:
        if self._feed is not None:
            self._feed.uses.note(binding)

    def _sweep(self) -> None:
        self.proxy.sweep(time.monotonic())
        if not self.proxy.pending_count:
            self._drained.set()
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._sweep)


def _read_files(path: Path) -> "_Files":
    config = load_config(path)
    return config, tls_identities(config.node_config()), read_feed_files(config)


@contextlib.asynccontextmanager
async def running(
    config: Config, path: Path | None = None, wakefulness: Wakefulness | None = None
) -> AsyncIterator[ProxyServer]:
    """Run a proxy as long as the block lasts."""
    server = ProxyServer(config, path, wakefulness)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def serve(config: Config, path: Path | None = None, wakefulness: Wakefulness | None = None) -> None:
    """Run until SIGTERM or SIGINT, and read the file again on SIGHUP; ``wakefulness`` is that of the loop's selector.

    Says on standard output that connections are accepted, then that we are ready.  The second line waits
    ``node.ready_within_s`` at most for our own HSS and MMS and the map: who starts a core behind us may then use it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config, path, wakefulness) as server:
        loop.add_signal_handler(signal.SIGHUP, server.hang_up)
        _tell("listening", server)
        await _first_of(server.wait_for_own_system(config.node.ready_within_s), stop.wait())
        if stop.is_set():
            return
        _tell("ready", server)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")


def _tell(event: str, server: ProxyServer) -> None:
    tell({"event": event, "listen": server.listen})


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
