"""Connections that do not get on are closed in time, over real TLS: hello, silence, half a request (B.5)."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mmserver.http import server as http
from mmserver.http.server import HttpServer
from mmserver.http.tls import Credentials, client_context, server_context

BOUND_S = 0.3


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf = ca.issue_cert("127.0.0.1")
    (tmp_path / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(tmp_path / "private_key.pem")
    return ca


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def bounded() -> tuple[str, ...]:
    """Which bounds are short; those that a test stays within are as in service."""
    return "FIRST_REQUEST_S", "REQUEST_S"


@pytest.fixture
async def port(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, bounded: tuple[str, ...]
) -> AsyncIterator[int]:
    for name in bounded:
        monkeypatch.setattr(http, name, BOUND_S)
    credentials = Credentials(tmp_path / "certificate.pem", tmp_path / "private_key.pem")
    async with HttpServer(echo, address="127.0.0.1", port=0, context=server_context(credentials, None)) as server:
        yield int(server.listen.rpartition(":")[2])


async def closed_after_s(reader: asyncio.StreamReader) -> float:
    """Wait for the end of the connection."""
    begun = time.monotonic()
    async with asyncio.timeout(20):
        try:
            while await reader.read(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
    return time.monotonic() - begun


async def secure(tmp_path: Path, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=client_context(tmp_path / "ca.pem"))


@pytest.mark.parametrize("bounded", [("HANDSHAKE_S",)], ids=["handshake"])
@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_half_a_tls_hello_is_closed(port: int, hello: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(hello)
    await closed_after_s(reader)
    writer.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
    ],
)
async def test_silence_and_half_a_request_are_closed(port: int, tmp_path: Path, octets: bytes) -> None:
    reader, writer = await secure(tmp_path, port)
    writer.write(octets)
    await closed_after_s(reader)
    writer.close()


async def test_one_octet_at_a_time_gains_nothing(port: int, tmp_path: Path) -> None:
    reader, writer = await secure(tmp_path, port)
    closing = asyncio.create_task(closed_after_s(reader))
    writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    while not closing.done():
        writer.write(b"a")
        await asyncio.wait([closing], timeout=BOUND_S / 10)
    assert closing.result() < 10
    writer.close()


@pytest.mark.parametrize("bounded", [()], ids=["as in service"])
async def test_whole_requests_go_on_over_one_connection(port: int, tmp_path: Path) -> None:
    reader, writer = await secure(tmp_path, port)
    for body in (b"one", b"two"):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(3) == body
    writer.close()
    await closed_after_s(reader)


async def test_without_a_context_it_is_http() -> None:
    async with HttpServer(echo, address="127.0.0.1", port=0, context=None) as server:
        host, _, number = server.listen.rpartition(":")
        with socket.create_connection((host, int(number)), timeout=5) as plain:
            plain.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
            answer = await asyncio.to_thread(plain.makefile("rb").read)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hi")
