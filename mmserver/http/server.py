"""uvicorn as one part of a process: our own signals, our own TLS context, the client's names in the scope.

uvicorn's ``serve()`` re-raises SIGTERM and would kill the drain of what runs beside it; its ssl options do not honour
SSLKEYLOGFILE; its protocol drops the client certificate and waits for ever for the rest of a request; asyncio grants a
TLS handshake a minute.  All are mended here and nowhere else.
"""

import asyncio
import contextlib
import functools
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from diameter_proxy.logs import tell
from diameter_proxy.service_manager import notify
from mmserver.http.tls import ClientTrust, VerifiedClient

STOP_GRACE_S: Final = 2
IDLE_S: Final = 75
"""A connection may stay silent so long between two requests."""
HANDSHAKE_S: Final = 5.0
FIRST_REQUEST_S: Final = 10.0
REQUEST_S: Final = 15.0
"""From the first octet of a request to its last."""
CONNECTIONS_MAX: Final = 1000


class ListenFailed(Exception):
    """The address cannot be bound."""


class PeerCertificateProtocol(H11Protocol):
    """HTTP/1.1 whose scope has ``extensions.tls.client_names``: the names that the client may claim."""

    def __init__(self, *args: Any, trust: ClientTrust | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trust = trust
        self._rest_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Learn who the client is, once per connection; a connection that stays silent is closed."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
        client = VerifiedClient(self._trust, certificate)
        app = self.app

        async def with_client_names(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope.setdefault("extensions", {})["tls"] = {"client_names": client.names()}
            await app(scope, receive, send)

        self.app = with_client_names
        self.timeout_keep_alive_task = self.loop.call_later(FIRST_REQUEST_S, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take octets; the rest of a request must come within ``REQUEST_S``."""
        super().data_received(data)
        if not self._request_is_half():
            self._stop_waiting()
        elif self._rest_due is None:
            self._rest_due = self.loop.call_later(REQUEST_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _request_is_half(self) -> bool:
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _stop_waiting(self) -> None:
        if self._rest_due is not None:
            self._rest_due.cancel()
            self._rest_due = None


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept on ``sockets`` as uvicorn does, but grant a TLS handshake ``HANDSHAKE_S`` only."""
        assert sockets, "we bind them ourselves"
        await self.lifespan.startup()
        loop, config = asyncio.get_running_loop(), self.config

        def create_protocol() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            protocol: asyncio.Protocol = make(
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        handshake_s = HANDSHAKE_S if config.ssl else None
        self.servers = [
            await loop.create_server(
                create_protocol, sock=one, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=handshake_s
            )
            for one in sockets
        ]
        self.started = True


class HttpServer:
    """An HTTPS server on one address, or HTTP without ``context``; ``async with`` starts and stops it."""

    def __init__(
        self, app: Any, *, address: str, port: int, context: ssl.SSLContext | None, trust: ClientTrust | None = None
    ) -> None:
        self._address = address
        self._port = port
        protocol: Any = functools.partial(PeerCertificateProtocol, trust=trust)
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_context_factory=None if context is None else lambda _config, _default: context,
            timeout_graceful_shutdown=STOP_GRACE_S,
            timeout_keep_alive=IDLE_S,
            limit_concurrency=CONNECTIONS_MAX,
        )
        self._server = _Uvicorn(config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def listen(self) -> str:
        """The ``address:port`` really bound."""
        assert self._socket is not None, "started first"
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            ListenFailed: the address cannot be bound.
        """
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        try:
            self._socket = socket.create_server((self._address, self._port), family=family, backlog=256)
        except OSError as exc:
            from diameter_proxy.node.taken_port import (
                why_not_bound,
            )  # here: a server that starts well needs no Diameter

            raise ListenFailed(why_not_bound(self._address, self._port, exc)) from exc
        self._socket.setblocking(False)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        """Accept nothing more, give requests under way a short grace, close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def __aenter__(self) -> "HttpServer":
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop."""
        await self.stop()


@contextlib.asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def reload_signal(reload: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call ``reload`` at every SIGHUP; one that is under way at the end is waited for."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def run() -> None:
        await reload()

    def on_signal() -> None:
        task = loop.create_task(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, on_signal)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        await asyncio.gather(*tasks)


def announce_ready(listen: Sequence[str]) -> None:
    """Print the one line on standard output that says that we accept connections; tell systemd where it started us."""
    tell({"event": "ready", "listen": list(listen)})
    notify("READY=1")
