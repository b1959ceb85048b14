"""Accepts transports on one address; a failed TLS handshake is seen and said."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import structlog

from diameter_proxy.node.config import ListenerConfig
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.taken_port import why_not_bound

BACKLOG = 256
PAUSE_S = 0.1
"""How long to wait when the process has no file descriptors left."""


class ListenFailed(Exception):
    """The address cannot be listened on."""


class Listener:
    """One listening socket."""

    def __init__(
        self,
        config: ListenerConfig,
        factory: Callable[[], Connection],
        context: ssl.SSLContext | None,
        limited_log: LimitedLog,
        *,
        handshake_s: float,
        handshakes_max: int,
    ) -> None:
        self._config = config
        self._factory = factory
        self._context = context
        self._handshake_s = handshake_s
        self._handshakes_max = handshakes_max
        self._handshakes: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        self._limited_log = limited_log
        self._socket = self._bind()
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The address and port really bound."""
        name = self._socket.getsockname()
        return f"[{name[0]}]:{name[1]}" if self._socket.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"

    def use(self, context: ssl.SSLContext | None) -> None:
        """Show another certificate and trust other authorities from the next connection on."""
        if self._context is not None:
            self._context = context

    def start(self) -> None:
        """Begin to accept."""
        self._task = asyncio.get_running_loop().create_task(self._accept())

    async def stop(self) -> None:
        """Accept no more; handshakes under way are given up."""
        tasks = [*self._handshakes, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    def _bind(self) -> socket.socket:
        config = self._config
        try:
            family = socket.AF_INET6 if ":" in config.address else socket.AF_INET
            bound = socket.create_server((config.address, config.port), family=family, backlog=BACKLOG)
        except OSError as exc:
            raise ListenFailed(why_not_bound(config.address, config.port, exc)) from exc
        bound.setblocking(False)
        return bound

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, remote = await loop.sock_accept(self._socket)
            except OSError as exc:
                self._log.warning("connection.failed", reason=str(exc))
                await asyncio.sleep(PAUSE_S)
                continue
            if len(self._handshakes) >= self._handshakes_max:
                self._refused(remote[0], "too many handshakes")
                accepted.close()
                continue
            task = loop.create_task(self._take(accepted, remote[0]))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _take(self, accepted: socket.socket, remote: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._context is None:
                await loop.connect_accepted_socket(self._factory, accepted)
            else:
                await loop.connect_accepted_socket(
                    self._factory,
                    accepted,
                    ssl=self._context,
                    ssl_handshake_timeout=self._handshake_s,
                    ssl_shutdown_timeout=1.0,
                )
        except OSError as exc:  # ssl.SSLError and TimeoutError are some
            self._refused(remote, f"TLS handshake: {exc}")

    def _refused(self, remote: str, reason: str) -> None:
        self._limited_log.warning("connection.refused", peer=remote, reason=reason, remote=remote)
