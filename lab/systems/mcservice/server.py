"""Runs the MC service server: SIP over UDP, one ready line, clean stop on SIGTERM and SIGINT.

A request whose answer went is answered the same way again when it is retransmitted (RFC 3261 §17.2.2).
"""

import asyncio
import http.client
import json
import signal
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from diameter_proxy.logs import configure_logs, tell
from lab.systems.idms.keys import VerifyingKeys
from lab.systems.mcservice.authorisation import Authorisations, ServiceAuthorisation, mc_service_id_of
from lab.systems.mcservice.config import McServiceConfig
from lab.systems.mcservice.errors import IdmsUnavailable, Malformed, MethodRefused, NotOfTheCore, Refusal
from lab.systems.mcservice.sip import Request, answer, parse_request, refusal
from lab.systems.mcservice.token_body import token_body

FETCH_S: Final = 1.5
KEYS_GOOD_S: Final = 60.0
ANSWERS_MAX: Final = 4096
ANSWER_OCTETS_MAX: Final = 65536
PENDING_MAX: Final = 1000

log = structlog.get_logger()


class ListenFailed(Exception):
    """The address cannot be bound."""


class McServiceServer:
    """Answers third-party REGISTERs."""

    def __init__(self, config: McServiceConfig, fetch: Callable[[], VerifyingKeys]) -> None:
        """Serve a configuration; ``fetch`` returns the IdMS's keys, or raises IdmsUnavailable."""
        self._config = config
        self._fetch = fetch
        self._keys: VerifyingKeys | None = None
        self._fetched_at = 0.0
        self.authorisations = Authorisations(config.authorisations_max)

    async def serve(self, request: Request, source: str, now: float) -> bytes:
        """Return the answer to a request."""
        try:
            return await self._serve(request, source, now)
        except Refusal as exc:
            log.warning("service-authorisation.refused", name=exc.name, status=exc.status, why=str(exc), source=source)
            return refusal(request, exc, self._config.name)

    async def _serve(self, request: Request, source: str, now: float) -> bytes:
        if source not in {str(one) for one in self._config.core}:
            raise NotOfTheCore(f"from {source}, which is no S-CSCF of this core")
        if request.method != "REGISTER":
            raise MethodRefused(f"{request.method}; only REGISTER is served")
        impu, expires_s = request.public_user_identity, request.expires_s
        if not expires_s:
            self._forget(impu)
            return answer(request, 200, "OK")
        self.authorisations.forget(impu)  # what does not hold now does not hold by what was said before
        said = token_body(request)
        mc_service_id = mc_service_id_of(said.access_token, await self._current_keys(now), self._config, now)
        self.authorisations.record(ServiceAuthorisation(impu, mc_service_id, said.client_id, now + expires_s))
        log.info("service.authorised", impu=impu, mc_service_id=mc_service_id, expires_s=expires_s)
        tell({"event": "service.authorised", "impu": impu, "mc_service_id": mc_service_id, "expires_s": expires_s})
        return answer(request, 200, "OK", f"Contact: <sip:{self._config.name}>;expires={expires_s}")

    def _forget(self, impu: str) -> None:
        if self.authorisations.forget(impu) is not None:
            log.info("service-authorisation.ended", impu=impu)
            tell({"event": "service-authorisation.ended", "impu": impu})

    async def _current_keys(self, now: float) -> VerifyingKeys:
        if self._keys is None or now - self._fetched_at > KEYS_GOOD_S:
            self._keys = await asyncio.to_thread(self._fetch)
            self._fetched_at = now
        return self._keys


class SipOverUdp(asyncio.DatagramProtocol):
    """Datagrams in and out; what is no request with a way back is dropped and logged."""

    def __init__(self, server: McServiceServer) -> None:
        self._server = server
        self._transport: Any = None
        self._answers: OrderedDict[tuple[str, ...], bytes | None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        """Keep the way back."""
        self._transport = transport

    def datagram_received(self, octets: bytes, address: tuple[str, int]) -> None:
        """Answer a request, once."""
        try:
            request = parse_request(octets)
        except Malformed as exc:
            log.warning("request.malformed", why=str(exc), source=address[0])
            if not octets.startswith(b"SIP/2.0"):
                self._transport.sendto(_bad_request(octets), address)
            return
        key = (address[0], request.header("via"), request.header("call-id"), request.header("cseq"))
        if key in self._answers:
            known = self._answers[key]
            if known is not None:
                self._transport.sendto(known, address)
            return
        if request.method == "ACK" or len(self._tasks) >= PENDING_MAX:
            return
        self._remember(key, None)
        task = asyncio.create_task(self._answer(request, key, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Request, key: tuple[str, ...], address: tuple[str, int]) -> None:
        try:
            said = await self._server.serve(request, address[0], time.time())
        except Exception:  # one request of a server (ARCHITECTURE.md): answered, logged, and the next one is served
            log.exception("request.failed", source=address[0])
            said = answer(request, 500, "Server Internal Error")
        self._remember(key, said)
        self._transport.sendto(said, address)

    def _remember(self, key: tuple[str, ...], said: bytes | None) -> None:
        self._answers[key] = said
        while len(self._answers) > ANSWERS_MAX:
            self._answers.popitem(last=False)


def _bad_request(octets: bytes) -> bytes:
    """Return 400 with those header lines of a response that can be found as they are."""
    lines = octets[:8192].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    names = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
    copied = [line for line in lines if line.lower().startswith(names)][:32]
    return b"\r\n".join([b"SIP/2.0 400 Bad Request", *copied, b"Content-Length: 0", b"", b""])


def fetch_keys(issuer: str, context: ssl.SSLContext) -> VerifyingKeys:
    """Return the keys that an IdMS names in its metadata (OpenID Connect Discovery 1.0 §4, RFC 7517).

    Raises:
        IdmsUnavailable: it gives none.
    """
    try:
        document = _get(f"{issuer}/.well-known/openid-configuration", context)
        if document.get("issuer") != issuer:
            raise IdmsUnavailable("the metadata is another issuer's")
        entries = _get(str(document.get("jwks_uri")), context)["keys"]
        return VerifyingKeys(KeySet([import_key(entry) for entry in entries[:64]]))
    except (OSError, http.client.HTTPException, JoseError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IdmsUnavailable(f"no keys of {issuer}: {type(exc).__name__}") from exc


def _get(url: str, context: ssl.SSLContext) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("no https URL")
    link = http.client.HTTPSConnection(parts.hostname, parts.port or 443, context=context, timeout=FETCH_S)
    try:
        link.request("GET", parts.path or "/")
        response = link.getresponse()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        document = json.loads(response.read(ANSWER_OCTETS_MAX))
    finally:
        link.close()
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def run(config: McServiceConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ListenFailed: the address cannot be bound, or the CA is not readable.
    """
    configure_logs(program="mcservice")
    asyncio.run(_run(config))


async def _run(config: McServiceConfig) -> None:
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except (OSError, ssl.SSLError) as exc:
        raise ListenFailed(f"{config.ca}: {exc.strerror or exc}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    server = McServiceServer(config, lambda: fetch_keys(config.issuer, context))
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: SipOverUdp(server), local_addr=(str(config.address), config.port), family=socket.AF_INET
        )
    except OSError as exc:
        raise ListenFailed(f"{config.address}:{config.port}: {exc.strerror}") from exc
    host, port = transport.get_extra_info("sockname")[:2]
    tell({"event": "ready", "listen": [f"{host}:{port}"]})
    await stopped.wait()
    transport.close()
