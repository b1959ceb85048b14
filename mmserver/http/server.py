"""uvicorn as one part of a process: our own signals, our own TLS context, the client's names in the scope.

uvicorn's ``serve()`` re-raises SIGTERM and would kill the drain of what runs beside it; its ssl options do not honour
SSLKEYLOGFILE; its protocol drops the client certificate.  All three are mended here and nowhere else.
"""

import asyncio
import contextlib
import functools
import json
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mmserver.http.tls import ClientTrust

STOP_GRACE_S: Final = 2
IDLE_S: Final = 75
CONNECTIONS_MAX: Final = 1000


class ListenFailed(Exception):
    """The address cannot be bound."""


class PeerCertificateProtocol(H11Protocol):
    """HTTP/1.1 whose scope has ``extensions.tls.client_names``: the names that the client may claim."""

    def __init__(self, *args: Any, trust: ClientTrust | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trust = trust

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Learn who the client is, once per connection; a connection that stays silent is closed."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        names: frozenset[str] = frozenset()
        if self._trust is not None and tls is not None:
            names = self._trust.verified_names(tls.getpeercert(binary_form=True))
        app = self.app

        async def with_client_names(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope.setdefault("extensions", {})["tls"] = {"client_names": names}
            await app(scope, receive, send)

        self.app = with_client_names
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """An HTTPS server on one address; ``async with`` starts and stops it."""

    def __init__(
        self, app: Any, *, address: str, port: int, context: ssl.SSLContext, trust: ClientTrust | None = None
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
            ssl_context_factory=lambda _config, _default: context,
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
            raise ListenFailed(f"{self._address}:{self._port}: {exc.strerror or exc}") from exc
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


def announce_ready(listen: Sequence[str]) -> None:
    """Print the one line on standard output that says that we accept connections."""
    sys.stdout.write(json.dumps({"event": "ready", "listen": list(listen)}) + "\n")
    sys.stdout.flush()
