"""HTTPS as a client, without the sockets that httpx2 forgets: what our programs ask each other with.

httpx2's own transport leaves a TCP connection open when a request is cancelled or runs out of time during the TLS
handshake: ``start_tls`` of its network backend closes on ``Exception``, and a cancellation is none.  A peer that
accepts and says nothing would so cost us one descriptor for each try, until the garbage collector comes by.
"""

import ssl
from collections.abc import Iterable
from typing import Any, Final

import anyio
import httpcore2
import httpx2

CONNECTIONS_MAX: Final = 100
KEPT_ALIVE_MAX: Final = CONNECTIONS_MAX
"""All of them: with less a burst makes a TLS handshake for each request over it, when there is most to do anyway."""
KEPT_ALIVE_S: Final = 5.0


class HttpsTransport(httpx2.AsyncHTTPTransport):
    """A transport for ``httpx2.AsyncClient`` whose connections are closed whatever ends their handshake."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Use ``context`` for each connection; the environment's proxies are not asked."""
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=KEPT_ALIVE_MAX,
            keepalive_expiry=KEPT_ALIVE_S,
            network_backend=_Backend(),
        )


class _Backend(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore2.AsyncNetworkStream):
    """A TCP connection that is about to become a TLS one."""

    def __init__(self, tcp: httpcore2.AsyncNetworkStream) -> None:
        self._tcp: Final = tcp

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._tcp.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:  # a cancellation too, which the library lets pass
            with anyio.CancelScope(shield=True):
                await self._tcp.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._tcp.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._tcp.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._tcp.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._tcp.get_extra_info(info)
