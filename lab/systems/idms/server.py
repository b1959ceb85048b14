"""Runs the identity management server: TLS 1.3, one ready line, clean stop on SIGTERM and SIGINT.

SIGHUP reads the signing key and the partners' keys anew; standard output says so, or the log why not.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
import uvicorn

from diameter_proxy.logs import configure_logs, tell
from lab.systems.idms.api import IdentityManagementServer
from lab.systems.idms.config import ConfigError, IdmsConfig, Tls
from lab.systems.idms.keys import KeyFileError, SigningKey, VerifyingKeys, load_jwks, load_signing_key

HANDSHAKE_S: Final = 5.0


class ListenFailed(Exception):
    """The address cannot be bound."""


class Server(uvicorn.Server):
    """Uvicorn that leaves signals to us and says when it accepts."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Keep out of signals: uvicorn would raise SIGTERM again after a clean stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, a TLS handshake within ``HANDSHAKE_S``, then print the ready line."""
        await self.lifespan.startup()
        loop, config = asyncio.get_running_loop(), self.config
        make: Any = config.http_protocol_class
        self.servers = [
            await loop.create_server(
                lambda: make(config=config, server_state=self.server_state, app_state=self.lifespan.state),
                sock=one,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
            for one in sockets or []
        ]
        self.started = True
        listen = ["{}:{}".format(*one.getsockname()[:2]) for one in sockets or []]
        tell({"event": "ready", "listen": listen})


def load_keys(config: IdmsConfig) -> tuple[SigningKey, dict[str, VerifyingKeys]]:
    """Return our signing key and the partners' keys.

    Raises:
        ConfigError: a key file cannot be used.
    """
    try:
        partner_keys = {partner.issuer: load_jwks(partner.jwks_file) for partner in config.partners}
        return load_signing_key(config.keys.private_key), partner_keys
    except KeyFileError as exc:
        raise ConfigError(str(exc)) from exc


def reload_keys(config: IdmsConfig, key: SigningKey, partner_keys: dict[str, VerifyingKeys]) -> bool:
    """Read the key files anew, all of them or none; return whether our own key is another one.

    Raises:
        ConfigError: a key file cannot be used; nothing has changed.
    """
    new_key, new_partner_keys = load_keys(config)
    for issuer, keys in new_partner_keys.items():
        partner_keys[issuer].replace_by(keys)
    return key.rotate(new_key)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context of the server; UEs show no certificate.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(tls.certificate, tls.private_key)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"tls: {tls.certificate}: {exc.strerror or exc}") from exc
    return context


def run(config: IdmsConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: a file that the configuration names cannot be used.
        ListenFailed: the address cannot be bound.
    """
    configure_logs(program="idms")
    key, partner_keys = load_keys(config)
    context = server_context(config.tls)
    application = IdentityManagementServer(config, key, partner_keys).application()
    settings = uvicorn.Config(
        application,
        ssl_context_factory=lambda _config, _default: context,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        limit_concurrency=1000,
        timeout_graceful_shutdown=2,
    )

    def reload() -> None:
        try:
            rotated = reload_keys(config, key, partner_keys)
        except ConfigError as exc:
            structlog.get_logger().error("keys.kept", why=str(exc))
            return
        tell({"event": "keys.reloaded", "kid": key.kid, "rotated": rotated})

    with _listener(config) as listener:
        asyncio.run(_serve(Server(settings), listener, reload))


async def _serve(server: Server, listener: socket.socket, reload: Callable[[], None]) -> None:
    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def _listener(config: IdmsConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.http.address else socket.AF_INET
    try:
        return socket.create_server((config.http.address, config.http.port), family=family, backlog=256)
    except OSError as exc:
        # Here, for an IdMS that starts well needs nothing of Diameter.
        from diameter_proxy.node.taken_port import why_not_bound

        raise ListenFailed(why_not_bound(config.http.address, config.http.port, exc)) from exc
