"""Who becomes a peer over loopback: CER and CEA, second connections, the election (RFC 6733 §5.3, §5.6)."""

import asyncio
import socket

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX
from diameter_proxy.diameter.message import Message, encode_answer
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.node import (
    ListenerConfig,
    Node,
    NodeConfig,
    PeerConfig,
)
from tests.free_ports import free_port
from tests.integration.nodes_on_loopback import (
    HSS,
    MAR_OCTETS,
    PROXY,
    REALM,
    VSAI,
    Program,
    RawPeer,
    hss_config,
    pair,
    proxy_config,
    raw,
    raw_server,
    running,
    until,
)


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


async def test_connection_without_cer_is_closed() -> None:
    async with running(hss_config(capabilities_s=0.1)) as hss, raw(hss) as peer:
        await peer.expect_close()


async def test_connections_over_the_limit_are_closed() -> None:
    async with running(hss_config(max_connections=1)) as hss, raw(hss) as first, raw(hss) as second:
        await second.expect_close()
        assert await first.exchange() is not None


async def test_second_connection_is_rejected_while_the_first_lives() -> None:
    async with pair() as (hss, proxy), raw(hss) as second:
        cea = await second.exchange()
        assert cea is not None
        assert cea.result() == (0, 5012)
        await second.expect_close()
        assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 10.0)).result() == (0, 2001)


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


async def test_both_sides_connecting_end_with_one_connection() -> None:
    """RFC 6733 §5.6.4, the election."""
    port = free_port()
    hss_peer = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=port)
    async with running(proxy_config(port, listeners=(ListenerConfig("127.0.0.1", 0),), peers=(hss_peer,))) as proxy:
        proxy_peer = PeerConfig(PROXY, REALM, connect=True, address="127.0.0.1", port=proxy.port)
        listeners = (ListenerConfig("127.0.0.1", port),)
        async with running(hss_config(listeners=listeners, peers=(proxy_peer,))) as hss:
            await until(lambda: proxy.node.is_open(HSS) and hss.node.is_open(PROXY))
            assert Message.decode(await proxy.node.request(HSS, MAR_OCTETS, 10.0)).result() == (0, 2001)
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


async def test_nagle_is_off_on_both_sides() -> None:
    """RFC 3539 §3.2."""
    async with pair() as sides:
        for side in sides:
            (link,) = side.node._links.values()
            bound = link.connection._transport.get_extra_info("socket")  # type: ignore[union-attr] # it is open
            assert bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
