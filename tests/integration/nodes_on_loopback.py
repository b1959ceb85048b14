"""What tests of the node start on loopback: two nodes, and peers by hand that misbehave on cue."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, CX, MAR, CommandType
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import FrameBuffer
from diameter_proxy.node import (
    ListenerConfig,
    Node,
    NodeConfig,
    PeerConfig,
    PeerEvent,
    PeerEventKind,
)
from tests.waiting import until

HSS, PROXY, REALM = "hss.mc1.lab", "proxy1.mc1.lab", "ims.mc1.lab"
MAR_OCTETS = encode_request(
    MAR, end_to_end=77, avps=[d.SESSION_ID.encode("scscf;1;2"), d.USER_NAME.encode("u@ims.mc1.lab")]
)
VSAI = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(10415) + d.AUTH_APPLICATION_ID.encode(CX))


@dataclass
class Program:
    """A node with what it said and heard."""

    node: Node = field(init=False)
    requests: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    events: list[PeerEvent] = field(default_factory=list)

    def on_request(self, peer: str, octets: bytes) -> None:
        self.requests.append(octets)
        message = Message.decode(octets)
        assert message.get(d.USER_NAME) != "crash"
        if message.get(d.USER_NAME) != "silent":
            answer = encode_answer(octets, origin_host=HSS, origin_realm=REALM, result_code=2001)
            self.node.send(peer, answer)

    def on_answer(self, peer: str, octets: bytes) -> None:
        self.answers.append(octets)

    def kinds(self) -> list[PeerEventKind]:
        return [event.kind for event in self.events]

    @property
    def port(self) -> int:
        return int(self.node.listen[0].rpartition(":")[2])


@contextlib.asynccontextmanager
async def running(config: NodeConfig) -> AsyncIterator[Program]:
    program = Program()
    quick = replace(config, sweep_s=0.01, reconnect_s=0.05, watchdog_probe_s=0.01)
    program.node = Node(quick, program.on_request, program.events.append, program.on_answer)
    await program.node.start()
    try:
        yield program
    finally:
        await program.node.stop(deadline_s=0.5)


def hss_config(**more: object) -> NodeConfig:
    config = NodeConfig(HSS, REALM, (ListenerConfig("127.0.0.1", 0),), (PeerConfig(PROXY, REALM, group="proxy"),))
    return replace(config, **more)  # type: ignore[arg-type] # names are checked by replace


def proxy_config(port: int, **more: object) -> NodeConfig:
    hss = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=port, group="hss")
    return replace(NodeConfig(PROXY, REALM, (), (hss,)), **more)  # type: ignore[arg-type] # as above


@contextlib.asynccontextmanager
async def pair(**more: object) -> AsyncIterator[tuple[Program, Program]]:
    async with running(hss_config(**more)) as hss, running(proxy_config(hss.port, **more)) as proxy:
        await until(lambda: proxy.node.is_open(HSS) and hss.node.is_open(PROXY))
        yield hss, proxy


class RawPeer:
    """A peer by hand: it sends what it is told and shows what came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames, self._messages = FrameBuffer(1 << 20), list[bytes]()

    @classmethod
    async def connect(cls, port: int) -> "RawPeer":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def receive(self) -> Message | None:
        """Return the next message, or None when the other side has closed."""
        async with asyncio.timeout(30):
            while not self._messages:
                data = await self.reader.read(1 << 16)
                if not data:
                    return None
                self._messages += self._frames.receive_data(data)
        return Message.decode(self._messages.pop(0))

    async def expect_close(self) -> None:
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(1 << 16):
                    pass

    async def exchange(self, *avps: bytes, host: str = PROXY) -> Message | None:
        self.writer.write(cer(*avps, host=host))
        return await self.receive()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def base(command: CommandType, *avps: bytes, host: str = PROXY) -> bytes:
    origin = [d.ORIGIN_HOST.encode(host), d.ORIGIN_REALM.encode(REALM)]
    return encode_request(command, hop_by_hop=5, end_to_end=6, avps=[*origin, *avps])


def cer(*avps: bytes, host: str = PROXY) -> bytes:
    """A CER as Kamailio sends it now and then: without Host-IP-Address."""
    return base(CER, d.VENDOR_ID.encode(10415), d.PRODUCT_NAME.encode("raw"), *(avps or (VSAI,)), host=host)


@contextlib.asynccontextmanager
async def raw(program: Program) -> AsyncIterator[RawPeer]:
    peer = await RawPeer.connect(program.port)
    try:
        yield peer
    finally:
        await peer.close()


@contextlib.asynccontextmanager
async def raw_server(on_connect: Callable[[RawPeer], Awaitable[None]]) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def talk(peer: RawPeer) -> None:
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await on_connect(peer)
        finally:
            peer.writer.transport.abort()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(talk(RawPeer(reader, writer))))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def accept_capabilities(peer: RawPeer) -> None:
    request = await peer.receive()
    assert request is not None
    capabilities = [d.VENDOR_ID.encode(0), d.PRODUCT_NAME.encode("raw"), VSAI]
    peer.writer.write(encode_answer(request, origin_host=HSS, origin_realm=REALM, result_code=2001, avps=capabilities))
