"""RFC 6733 §5.6.4: of two peers that connect to each other at once the winner closes the connection it initiated."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, MAR
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import FrameBuffer
from diameter_proxy.node import ListenerConfig, Node, NodeConfig, PeerConfig
from tests.crossing import Crossing
from tests.integration.nodes_on_loopback import REALM, VSAI
from tests.waiting import until

CAPABILITIES = [d.VENDOR_ID.encode(0), d.PRODUCT_NAME.encode("raw"), VSAI]


@contextlib.asynccontextmanager
async def listening(host: str, *peers: PeerConfig) -> AsyncIterator[Node]:
    """A node that answers every request with success."""

    def answer(peer: str, octets: bytes) -> None:
        node.send(peer, encode_answer(octets, origin_host=host, origin_realm=REALM, result_code=2001))

    config = NodeConfig(host, REALM, (ListenerConfig("127.0.0.1", 0),), peers, sweep_s=0.01, reconnect_s=0.05)
    node = Node(config, answer, lambda event: None)
    await node.start()
    try:
        yield node
    finally:
        await node.stop(deadline_s=0.5)


def port_of(node: Node) -> int:
    return int(node.listen[0].rpartition(":")[2])


def connects_to(host: str, port: int) -> PeerConfig:
    return PeerConfig(host, REALM, connect=True, address="127.0.0.1", port=port)


@contextlib.asynccontextmanager
async def crossing() -> AsyncIterator[Crossing]:
    between = Crossing()
    try:
        yield between
    finally:
        await between.stop()


async def result_of_a_request(node: Node, peer: str) -> object:
    request = encode_request(MAR, end_to_end=1, avps=[d.SESSION_ID.encode("s;1;2")])
    return Message.decode(await node.request(peer, request, 30.0)).result()


@pytest.mark.parametrize(
    ("winner", "loser"),
    [("proxy2.mc1.lab", "proxy1.mc1.lab"), ("proxy.mc1.lab", "PROXY.mc0.lab"), ("a.b.mc1.lab", "a.B")],
    ids=["later name", "case apart", "longer name"],
)
async def test_one_connection_stays_when_both_connect_at_once(winner: str, loser: str) -> None:
    """§5.6.4: the winner, whose Origin-Host comes after the other's, closes the connection that it initiated."""
    async with listening(winner) as first, listening(loser) as second, crossing() as between:
        there = connects_to(loser, await between.relay("winner", port_of(second)))
        back = connects_to(winner, await between.relay("loser", port_of(first)))
        first.reload(replace(first.config, peers=(there,)), None)
        second.reload(replace(second.config, peers=(back,)), None)
        await until(lambda: first.is_open(loser) and second.is_open(winner))
        await until(lambda: between.ended_by("winner"))
        assert between.ended_by("winner") == "there"
        assert 2001 not in between.answers("winner")
        assert between.answers("loser") == [2001]
        assert between.ended_by("loser") is None
        assert (first.peers[loser].state, second.peers[winner].state) == ("R_OPEN", "I_OPEN")
        assert (first.peers[loser].connections_opened, second.peers[winner].connections_opened) == (1, 1)
        assert await result_of_a_request(first, loser) == (0, 2001)
        assert await result_of_a_request(second, winner) == (0, 2001)


class Winner:
    """A peer by hand that connects to us and is connected to by us."""

    HOST = "zz.mc1.lab"

    def __init__(self) -> None:
        self.initiated_by_us: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.get_running_loop().create_future()
        )

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.initiated_by_us.done():
            writer.close()
            return
        self.initiated_by_us.set_result((reader, writer))

    @classmethod
    def cer(cls) -> bytes:
        origin = [d.ORIGIN_HOST.encode(cls.HOST), d.ORIGIN_REALM.encode(REALM)]
        return encode_request(CER, hop_by_hop=5, end_to_end=6, avps=[*origin, *CAPABILITIES])

    @classmethod
    def cea(cls, cer: Message) -> bytes:
        return encode_answer(cer, origin_host=cls.HOST, origin_realm=REALM, result_code=2001, avps=CAPABILITIES)


async def message_from(reader: asyncio.StreamReader) -> Message:
    frames = FrameBuffer()
    async with asyncio.timeout(30):
        while True:
            octets = await reader.read(65536)
            assert octets, "closed without a word"
            if found := frames.receive_data(octets):
                return Message.decode(found[0])


async def end_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.read(65536)


@contextlib.asynccontextmanager
async def election() -> AsyncIterator[tuple[Node, tuple, tuple, Message]]:
    """A node of ours that has lost, and waits: our own connection, its CER, and the one that the winner initiated."""
    winner = Winner()
    async with contextlib.AsyncExitStack() as stack:
        server = await asyncio.start_server(winner.accept, "127.0.0.1", 0)
        stack.callback(server.close)
        row = connects_to(winner.HOST, server.sockets[0].getsockname()[1])
        node = await stack.enter_async_context(listening("aa.mc1.lab", row))
        ours = await winner.initiated_by_us
        stack.callback(ours[1].close)
        cer = await message_from(ours[0])
        theirs = await asyncio.open_connection("127.0.0.1", port_of(node))
        stack.callback(theirs[1].close)
        theirs[1].write(winner.cer())
        await until(lambda: node.peers[winner.HOST].state == "WAIT_RETURNS")
        yield node, ours, theirs, cer


async def test_the_winners_connection_hears_4003_and_is_closed() -> None:
    """§7.1.4 DIAMETER_ELECTION_LOST: we have lost, its CEA came on ours; without the E bit, with our capabilities."""
    async with election() as (node, ours, theirs, cer):
        ours[1].write(Winner.cea(cer))
        cea = await message_from(theirs[0])
        assert (cea.header.command_code, cea.result(), cea.header.is_error) == (257, (0, 4003), False)
        assert (cea.get(d.ORIGIN_HOST), cea.header.hop_by_hop, cea.header.end_to_end) == ("aa.mc1.lab", 5, 6)
        assert await end_of(theirs[0]) == b""
        assert node.peers[Winner.HOST].state == "I_OPEN"


async def test_a_winner_that_closes_our_connection_is_answered_on_its_own() -> None:
    """§5.6, Wait-Returns, I-Peer-Disc: I-Disc, R-Snd-CEA, R-Open."""
    async with election() as (node, ours, theirs, _):
        ours[1].close()
        cea = await message_from(theirs[0])
        assert cea.result() == (0, 2001)
        assert node.peers[Winner.HOST].state == "R_OPEN"


async def test_a_winner_that_refuses_us_is_answered_on_its_own() -> None:
    """§5.6 is silent on it: a CEA with 4003 on our connection leaves the other one."""
    async with election() as (node, ours, theirs, cer):
        ours[1].write(encode_answer(cer, origin_host=Winner.HOST, origin_realm=REALM, result_code=4003))
        assert (await message_from(theirs[0])).result() == (0, 2001)
        assert node.peers[Winner.HOST].state == "R_OPEN"


async def test_a_third_connection_in_an_election_is_rejected_and_the_first_is_answered() -> None:
    """§5.6, Wait-Returns, R-Conn-CER: R-Reject; the CEA that is owed goes to the connection that was accepted."""
    async with election() as (node, ours, theirs, _):
        third = await asyncio.open_connection("127.0.0.1", port_of(node))
        third[1].write(Winner.cer())
        assert (await message_from(third[0])).result() == (0, 5012)
        assert await end_of(third[0]) == b""
        third[1].close()
        ours[1].close()
        assert (await message_from(theirs[0])).result() == (0, 2001)
        assert node.peers[Winner.HOST].state == "R_OPEN"
