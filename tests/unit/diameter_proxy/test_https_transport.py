"""What is left of a connection whose TLS handshake does not end well; whole exchanges are in tests/integration."""

import asyncio
import ssl

import httpx2
import pytest

from diameter_proxy.https_transport import HttpsTransport


class SilentServer:
    """Accepts TCP connections, never answers a client hello, and sees them end."""

    def __init__(self):
        self.greeted = asyncio.Event()
        self.closed = asyncio.Event()

    async def serve(self, reader, writer):
        await reader.read(1)
        self.greeted.set()
        while await reader.read(4096):
            pass
        writer.close()
        self.closed.set()


@pytest.fixture
async def silent():
    silent = SilentServer()
    server = await asyncio.start_server(silent.serve, "127.0.0.1", 0)
    silent.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield silent
    server.close()
    await server.wait_closed()


@pytest.fixture
async def client():
    async with httpx2.AsyncClient(transport=HttpsTransport(ssl.create_default_context()), timeout=0.2) as client:
        yield client


async def test_a_cancelled_handshake_closes_its_connection(silent, client):
    asking = asyncio.create_task(client.get(silent.url, timeout=60))
    await asyncio.wait_for(silent.greeted.wait(), 30)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(silent.closed.wait(), 30)


async def test_a_handshake_out_of_time_closes_its_connection(silent, client):
    with pytest.raises(httpx2.ConnectTimeout):
        await client.get(silent.url)
    await asyncio.wait_for(silent.closed.wait(), 30)


async def test_without_tls_it_is_an_ordinary_transport(client):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    answer = await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=30)
    server.close()
    await server.wait_closed()
    assert (answer.status_code, answer.text) == (200, "ok")
