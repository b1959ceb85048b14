"""Two Diameter nodes over loopback, and peers that misbehave on cue: messages, watchdogs, good-byes, sources."""

import asyncio
from dataclasses import replace

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, DPR, DWR, MAR
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import encode_avp, encode_message, with_flags, with_hop_by_hop
from diameter_proxy.node import (
    ListenerConfig,
    NodeConfig,
    PeerConfig,
    PeerCongested,
    PeerEventKind,
    PeerLost,
    PeerNotOpen,
    RequestTimeout,
)
from tests.free_ports import free_port
from tests.integration.nodes_on_loopback import (
    HSS,
    MAR_OCTETS,
    PROXY,
    REALM,
    RawPeer,
    accept_capabilities,
    base,
    cer,
    hss_config,
    pair,
    proxy_config,
    raw,
    raw_server,
    running,
    until,
)


async def test_request_is_answered_and_events_name_the_peers() -> None:
    async with pair() as (hss, proxy):
        answer = Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 10.0))
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
        assert Message.decode(await proxy.node.request(HSS, crash, 10.0)).result() == (0, 5012)
        assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 10.0)).result() == (0, 2001)


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
    port = free_port()
    at_port = hss_config(listeners=(ListenerConfig("127.0.0.1", port),))
    async with running(at_port) as first, running(proxy_config(port)) as proxy:
        await until(lambda: proxy.node.is_open(HSS))
        silent = encode_request(MAR, end_to_end=1, avps=[d.USER_NAME.encode("silent")])
        waiting = asyncio.create_task(proxy.node.request(HSS, silent, 60.0))
        await until(lambda: first.requests)
        await first.node.stop(deadline_s=0.5)
        with pytest.raises(PeerLost):
            await waiting
        async with running(at_port):
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
