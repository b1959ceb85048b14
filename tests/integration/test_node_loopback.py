"""Two Diameter nodes over loopback, and peers that misbehave on cue."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, CX, DPR, DWR, MAR, CommandType
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import FrameBuffer, encode_avp, encode_message, with_flags, with_hop_by_hop
from diameter_proxy.node import (
    ListenerConfig,
    Node,
    NodeConfig,
    PeerConfig,
    PeerCongested,
    PeerEvent,
    PeerEventKind,
    PeerLost,
    PeerNotOpen,
    RequestTimeout,
)

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


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - any state of any node may be the condition
            await asyncio.sleep(0.005)


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
        async with asyncio.timeout(5):
            while not self._messages:
                data = await self.reader.read(1 << 16)
                if not data:
                    return None
                self._messages += self._frames.receive_data(data)
        return Message.decode(self._messages.pop(0))

    async def expect_close(self) -> None:
        async with asyncio.timeout(5):
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


async def test_request_is_answered_and_events_name_the_peers() -> None:
    async with pair() as (hss, proxy):
        answer = Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 1.0))
        assert answer.result() == (0, 2001)
        assert answer.header.end_to_end == 77
        assert proxy.kinds() == [PeerEventKind.OPEN]
        assert hss.events[0].peer == PROXY
        status = proxy.node.peers[HSS]
        assert (status.state, status.watchdog, status.is_open) == ("I_OPEN", "OKAY", True)
        assert status.application_ids == (CX,)


async def test_answer_that_nobody_waits_for_goes_to_on_answer() -> None:
    async with pair() as (_, proxy):
        hop_by_hop = proxy.node.next_hop_by_hop(HSS)
        proxy.node.send(HSS, with_hop_by_hop(MAR_OCTETS, hop_by_hop))
        await until(lambda: proxy.answers)
        assert Message.decode(proxy.answers[0]).header.hop_by_hop == hop_by_hop
        assert proxy.node.next_hop_by_hop(HSS) == (hop_by_hop + 1) & 0xFFFFFFFF


async def test_request_without_an_answer_ends_with_its_deadline() -> None:
    async with pair() as (_, proxy):
        silent = encode_request(MAR, end_to_end=1, avps=[d.USER_NAME.encode("silent")])
        with pytest.raises(RequestTimeout):
            await proxy.node.request(HSS, silent, 0.05)


async def test_program_that_crashes_costs_one_request() -> None:
    async with pair() as (_, proxy):
        crash = encode_request(MAR, end_to_end=1, avps=[d.USER_NAME.encode("crash")])
        assert Message.decode(await proxy.node.request(HSS, crash, 1.0)).result() == (0, 5012)
        assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 1.0)).result() == (0, 2001)


async def test_unknown_or_closed_peer_is_not_sent_to() -> None:
    async with running(proxy_config(1)) as proxy:
        for peer in (HSS, "nobody"):
            with pytest.raises(PeerNotOpen):
                proxy.node.send(peer, MAR_OCTETS)
            with pytest.raises(PeerNotOpen):
                await proxy.node.request(peer, MAR_OCTETS, 1.0)
        await until(lambda: "127.0.0.1:1" in proxy.node.peers[HSS].reason)


async def test_lost_connection_fails_what_waits_and_is_reconnected() -> None:
    """RFC 6733 §5.5.4; three good watchdogs clear the returned peer (RFC 3539 §3.4.1)."""
    async with running(hss_config()) as first:
        port = first.port
        async with running(proxy_config(port)) as proxy:
            await until(lambda: proxy.node.is_open(HSS))
            silent = encode_request(MAR, end_to_end=1, avps=[d.USER_NAME.encode("silent")])
            waiting = asyncio.create_task(proxy.node.request(HSS, silent, 5.0))
            await until(lambda: first.requests)
            await first.node.stop(deadline_s=0.5)
            with pytest.raises(PeerLost):
                await waiting
            async with running(hss_config(listeners=(ListenerConfig("127.0.0.1", port),))):
                await until(lambda: proxy.node.is_open(HSS))
            assert proxy.kinds()[:3] == [PeerEventKind.OPEN, PeerEventKind.CLOSED, PeerEventKind.OPEN]


async def test_silent_peer_is_suspected_then_dropped() -> None:
    """RFC 3539 §3.4.1: Failover, then CloseConnection."""

    async def silent(peer: RawPeer) -> None:
        await accept_capabilities(peer)
        await peer.expect_close()

    async with raw_server(silent) as port, running(proxy_config(port, watchdog_s=0.1)) as proxy:
        await until(lambda: PeerEventKind.CLOSED in proxy.kinds())
        assert proxy.kinds()[:3] == [PeerEventKind.OPEN, PeerEventKind.SUSPECT, PeerEventKind.CLOSED]
        assert proxy.events[2].reason == "no answer to watchdogs"


async def test_unknown_peer_hears_3010_with_the_e_bit_and_is_closed() -> None:
    """RFC 6733 §7.1.3, DIAMETER_UNKNOWN_PEER."""
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange(host="stranger.lab")
        assert cea is not None
        assert (cea.result(), cea.header.is_error) == ((0, 3010), True)
        assert await peer.receive() is None


@pytest.mark.parametrize(
    ("avps", "code"),
    [
        ((d.AUTH_APPLICATION_ID.encode(4),), 5010),
        ((VSAI, d.INBAND_SECURITY_ID.encode(d.INBAND_SECURITY_ID.decode(bytes.fromhex("00000001")))), 5017),
        ((VSAI, encode_avp(9999, b"abcd")), 5001),
    ],
)
async def test_cer_that_cannot_be_accepted_is_answered_and_closed(avps: tuple[bytes, ...], code: int) -> None:
    """RFC 6733 §5.3: 5010 no common application, 5017 no common security; §4.1: 5001 unknown mandatory AVP."""
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange(*avps)
        assert cea is not None
        assert cea.result() == (0, code)
        assert await peer.receive() is None
        assert not hss.node.is_open(PROXY)


async def test_cea_says_what_kamailio_looks_for() -> None:
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange()
        assert cea is not None
        application = cea.group(d.VENDOR_SPECIFIC_APPLICATION_ID)
        assert application is not None
        assert (application.get(d.VENDOR_ID), application.get(d.AUTH_APPLICATION_ID)) == (10415, CX)
        assert cea.all(d.SUPPORTED_VENDOR_ID) == [10415]
        assert str(cea.get(d.HOST_IP_ADDRESS)) == "127.0.0.1"
        assert cea.get(d.ORIGIN_STATE_ID)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\1\0\0\0" + bytes(16),
        b"\1\0\0\x10" + bytes(16),
        b"\1\xff\xff\xff" + bytes(16),
        MAR_OCTETS,
        encode_message(0x80, 257, 0, 1, 2, [b"\0\0\1\x08\x40\0\0\xff"]),
        encode_message(0x80, 257, 0, 1, 2, ()) + b"\0" * 4,
    ],
)
async def test_garbage_closes_and_the_node_goes_on(garbage: bytes) -> None:
    async with running(hss_config(capabilities_s=0.3)) as hss:
        async with raw(hss) as peer:
            peer.writer.write(garbage)
            await peer.expect_close()
        async with raw(hss) as peer:
            assert await peer.exchange() is not None


async def test_version_2_is_answered_5011_then_closed() -> None:
    async with running(hss_config()) as hss, raw(hss) as peer:
        assert await peer.exchange() is not None
        peer.writer.write(b"\2" + MAR_OCTETS[1:])
        answer = await peer.receive()
        assert answer is not None
        assert answer.result() == (0, 5011)
        await peer.expect_close()


async def test_connection_without_cer_is_closed() -> None:
    async with running(hss_config(capabilities_s=0.1)) as hss, raw(hss) as peer:
        await peer.expect_close()


async def test_connections_over_the_limit_are_closed() -> None:
    async with running(hss_config(max_connections=1)) as hss, raw(hss) as first, raw(hss) as second:
        await second.expect_close()
        assert await first.exchange() is not None


async def test_base_requests_are_answered_by_the_node() -> None:
    """RFC 6733 §5.5.2; §7.1.3: 3001, 3008; §7.1.5: 5001, 5012, 5015."""
    async with running(hss_config()) as hss, raw(hss) as peer:
        assert await peer.exchange() is not None
        odd = base(DWR)[:1] + (len(base(DWR)) + 1).to_bytes(3, "big") + base(DWR)[4:] + b"\0"
        for octets, code in [
            (base(DWR), 2001),
            (base(DWR, encode_avp(9999, b"abcd")), 5001),
            (base(DWR, b"\0\0\0\1\x40\0\0\3"), 5014),
            (odd, 5015),
            (cer(), 5012),
            (encode_message(0x80, 999, 0, 1, 2, ()), 3001),
            (with_flags(base(DWR), 0xA0), 3008),
            (with_flags(MAR_OCTETS, 0xE0), 3008),
        ]:
            peer.writer.write(octets)
            answer = await peer.receive()
            assert answer is not None
            assert answer.result() == (0, code)
        assert not hss.requests
        assert hss.node.is_open(PROXY)


async def test_dpr_is_answered_and_the_peer_is_closed() -> None:
    """RFC 6733 §5.4."""
    async with running(hss_config(disconnect_s=0.1)) as hss, raw(hss) as peer:
        assert await peer.exchange() is not None
        peer.writer.write(base(DPR, d.DISCONNECT_CAUSE.encode(DisconnectCause.BUSY)))
        dpa = await peer.receive()
        assert dpa is not None
        assert (dpa.header.command_code, dpa.result()) == (282, (0, 2001))
        assert hss.events[-1].reason == "DPR with cause BUSY"
        await peer.expect_close()
        await until(lambda: hss.node.peers[PROXY].state == "CLOSED")


async def test_peer_that_is_busy_is_left_alone() -> None:
    """RFC 6733 §5.4.3: only REBOOTING invites a new attempt."""
    connections = 0

    async def busy(peer: RawPeer) -> None:
        nonlocal connections
        connections += 1
        await accept_capabilities(peer)
        peer.writer.write(base(DPR, d.DISCONNECT_CAUSE.encode(DisconnectCause.BUSY), host=HSS))
        await peer.receive()

    async with raw_server(busy) as port, running(proxy_config(port)) as proxy:
        await until(lambda: proxy.kinds() == [PeerEventKind.OPEN, PeerEventKind.CLOSED])
        await until(lambda: proxy.node.peers[HSS].state == "CLOSED")
        await asyncio.sleep(0.2)
        assert connections == 1


async def test_second_connection_is_rejected_while_the_first_lives() -> None:
    async with pair() as (hss, proxy), raw(hss) as second:
        cea = await second.exchange()
        assert cea is not None
        assert cea.result() == (0, 5012)
        await second.expect_close()
        assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 1.0)).result() == (0, 2001)


async def test_second_connection_replaces_a_first_that_is_silent() -> None:
    async with running(hss_config(hold_s=0.1)) as hss, raw(hss) as first, raw(hss) as second:
        assert await first.exchange() is not None
        cea = await second.exchange()
        assert cea is not None
        assert cea.result() == (0, 2001)
        await first.expect_close()
        assert hss.node.peers[PROXY].connections_opened == 2


async def test_second_connection_of_a_restarted_peer_replaces_at_once() -> None:
    """RFC 6733 §8.16: another Origin-State-Id."""
    async with running(hss_config(hold_s=60.0)) as hss, raw(hss) as first, raw(hss) as second:
        assert await first.exchange(VSAI, d.ORIGIN_STATE_ID.encode(1)) is not None
        cea = await second.exchange(VSAI, d.ORIGIN_STATE_ID.encode(2))
        assert cea is not None
        assert cea.result() == (0, 2001)


async def test_peer_that_never_reads_is_congested_not_buffered() -> None:
    async def deaf(peer: RawPeer) -> None:
        await accept_capabilities(peer)
        await asyncio.sleep(30)

    async with raw_server(deaf) as port, running(proxy_config(port, max_unsent_octets=1 << 16)) as proxy:
        await until(lambda: proxy.node.is_open(HSS))
        big = encode_request(MAR, end_to_end=1, avps=[encode_avp(1, bytes(60000))])
        with pytest.raises(PeerCongested):
            for _ in range(1000):
                proxy.node.send(HSS, big)
                await asyncio.sleep(0)
        assert proxy.node.peers[HSS].unsent_octets < 10 << 20


async def test_both_sides_connecting_end_with_one_connection() -> None:
    """RFC 6733 §5.6.4, the election."""
    async with running(hss_config()) as placeholder:
        port = placeholder.port
    hss_peer = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=port)
    async with running(proxy_config(port, listeners=(ListenerConfig("127.0.0.1", 0),), peers=(hss_peer,))) as proxy:
        proxy_peer = PeerConfig(PROXY, REALM, connect=True, address="127.0.0.1", port=proxy.port)
        listeners = (ListenerConfig("127.0.0.1", port),)
        async with running(hss_config(listeners=listeners, peers=(proxy_peer,))) as hss:
            await until(lambda: proxy.node.is_open(HSS) and hss.node.is_open(PROXY))
            assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 1.0)).result() == (0, 2001)
            states = {proxy.node.peers[HSS].state, hss.node.peers[PROXY].state}
            assert states == {"I_OPEN", "R_OPEN"}


async def test_election_is_won_by_the_later_name() -> None:
    """RFC 6733 §5.6: in Wait-I-CEA a CER comes; we, proxy1, come after hss: we win and close what we initiated."""
    program = Program()
    initiated: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def cross(peer: RawPeer) -> None:
        assert await peer.receive() is not None
        async with raw(program) as ours:
            cea = await ours.exchange(host=HSS)
            assert cea is not None
            assert cea.result() == (0, 2001)
            await peer.expect_close()
            initiated.set_result(True)
            await ours.expect_close()

    async with raw_server(cross) as port:
        hss = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=port)
        config = NodeConfig(PROXY, REALM, (ListenerConfig("127.0.0.1", 0),), (hss,), sweep_s=0.01)
        program.node = Node(config, program.on_request, program.events.append)
        await program.node.start()
        assert await asyncio.wait_for(initiated, 5)
        assert program.node.peers[HSS].state == "R_OPEN"
        await program.node.stop(deadline_s=0.2)


async def test_refusing_cea_is_a_reason_and_backs_off() -> None:
    async def refuse(peer: RawPeer) -> None:
        request = await peer.receive()
        assert request is not None
        peer.writer.write(encode_answer(request, origin_host=HSS, origin_realm=REALM, result_code=5010))
        await peer.expect_close()

    async with raw_server(refuse) as port, running(proxy_config(port)) as proxy:
        await until(lambda: "5010" in proxy.node.peers[HSS].reason)
        assert proxy.kinds() == []


async def test_close_before_cea_is_called_that() -> None:
    async def hang_up(peer: RawPeer) -> None:
        await peer.receive()

    async with raw_server(hang_up) as port, running(proxy_config(port)) as proxy:
        await until(lambda: proxy.node.peers[HSS].reason.startswith("closed before CEA"))


async def test_cea_of_somebody_else_is_not_taken() -> None:
    async with running(hss_config(origin_host="other.mc1.lab")) as hss, running(proxy_config(hss.port)) as proxy:
        await until(lambda: "other.mc1.lab" in proxy.node.peers[HSS].reason)
        assert not proxy.node.is_open(HSS)


async def test_source_is_not_read_while_its_destination_is_congested() -> None:
    reading = asyncio.Event()

    async def slow(peer: RawPeer) -> None:
        await accept_capabilities(peer)
        await reading.wait()
        await peer.expect_close()

    async with raw_server(slow) as port:
        source = PeerConfig("scscf.mc1.lab", REALM)
        config = proxy_config(port, listeners=(ListenerConfig("127.0.0.1", 0),), max_unsent_octets=1 << 16)
        async with running(replace(config, peers=(*config.peers, source))) as proxy, raw(proxy) as scscf:
            await until(lambda: proxy.node.is_open(HSS))
            assert await scscf.exchange(host="scscf.mc1.lab") is not None
            big = encode_request(MAR, end_to_end=1, avps=[encode_avp(1, bytes(60000))])
            with pytest.raises(PeerCongested):
                for _ in range(1000):
                    proxy.node.send(HSS, big)
                    await asyncio.sleep(0)
            proxy.node.pause_source("scscf.mc1.lab", HSS)
            scscf.writer.write(base(DWR, host="scscf.mc1.lab"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await scscf.reader.read(1)
            reading.set()
            answer = await scscf.receive()
            assert answer is not None
            assert answer.result() == (0, 2001)


async def test_peers_come_over_ipv4_and_ipv6_at_once() -> None:
    """Two listeners; Host-IP-Address is the address of the connection (RFC 6733 §5.3.5)."""
    listeners = (ListenerConfig("127.0.0.1", 0), ListenerConfig("::1", 0))
    async with running(hss_config(listeners=listeners)) as hss:
        ports = [int(address.rpartition(":")[2]) for address in hss.node.listen]
        assert hss.node.listen[1].startswith("[::1]:")
        for address, port in zip(("127.0.0.1", "::1"), ports, strict=True):
            row = PeerConfig(HSS, REALM, connect=True, address=address, port=port)
            async with running(NodeConfig(PROXY, REALM, (), (row,))) as proxy:
                await until(lambda node=proxy.node: node.is_open(HSS))  # type: ignore[misc] # bound now
                assert hss.node.peers[PROXY].remote_address == address
            await until(lambda: hss.node.peers[PROXY].state == "CLOSED")


async def test_a_connection_comes_from_the_source_address() -> None:
    async with running(hss_config()) as hss:
        row = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=hss.port, source_address="127.0.0.9")
        async with running(NodeConfig(PROXY, REALM, (), (row,))) as proxy:
            await until(lambda: proxy.node.is_open(HSS))
            assert hss.node.peers[PROXY].remote_address == "127.0.0.9"


async def test_nagle_is_off_on_both_sides() -> None:
    """RFC 3539 §3.2."""
    async with pair() as sides:
        for side in sides:
            (link,) = side.node._links.values()
            bound = link.connection._transport.get_extra_info("socket")  # type: ignore[union-attr] # it is open
            assert bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
