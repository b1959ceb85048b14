"""A live proxy beside peers that mean ill or are broken: who behaves is served meanwhile, and memory has a bound."""

import asyncio
import resource
import time

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.node.errors import NodeError
from tests.integration.diameter_proxy.raw_peer import HSS, PROXY, RAW, REALM, RawPeer

SILENT = 10_000
CONNECTIONS_MAX = 1024
SCSCF = "scscf.mc1.lab"


@pytest.fixture
async def site(lab, tools):
    """A proxy with an HSS, one CSCF that behaves, and room for a raw one."""
    site = Site(lab, tools)
    yield site
    site.close()


class Site:
    """Who is there."""

    def __init__(self, lab, tools):
        self.lab, self.tools, self._raw = lab, tools, []

    async def start(self, *, raw_row=None, **tables):
        lab, tools = self.lab, self.tools
        self.hss = await lab.station(HSS, REALM, [PROXY], limit_octets=1 << 24)
        self.hss.answer = self.hss.success
        peers = [
            tools.peer(SCSCF, REALM, "cscf"),
            tools.peer(RAW, REALM, "cscf", **(raw_row or {})),
            tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(self.hss.node)),
        ]
        self.proxy = await lab.proxy(lab.tables("mc1", peers=peers, **tables))
        self.port = tools.port_of(self.proxy)
        self.cscf = await lab.station(SCSCF, REALM, [PROXY], port=self.port)
        await lab.open(self.cscf, PROXY)
        await lab.open(self.hss, PROXY)

    async def raw(self):
        self._raw.append(await RawPeer.opened(self.port))
        return self._raw[-1]

    async def unheard(self):
        self._raw.append(await RawPeer.connected(self.port))
        return self._raw[-1]

    def close(self):
        for peer in self._raw:
            peer.close()

    async def serves(self, within_s=60.0):
        """The CSCF that behaves is answered."""
        began = time.monotonic()
        answer = await self.cscf.ask(PROXY, self.cscf.lir("sip:bob@ims.mc1.lab"), within_s)
        assert answer.result() == (0, 2001)
        return time.monotonic() - began


async def test_ten_thousand_connections_that_say_nothing_keep_nobody_out_who_is_in(site, tools):
    """Over ``limits.connections`` they are closed at once; the rest when no CER has come."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    await site.start()
    opened = 0
    for _ in range(SILENT // 500):
        made = await asyncio.gather(*(site.unheard() for _ in range(500)))
        opened += len(made)
        await site.serves()
        assert len(site.proxy.node._admission._waiting) <= CONNECTIONS_MAX
    assert opened == SILENT
    await site.serves()
    await tools.until(lambda: not site.proxy.node._admission._waiting, 60.0)
    peer = await site.raw()
    await peer.works()


async def test_one_octet_at_a_time_is_a_request_as_any_other_and_holds_nobody_up(site):
    await site.start()
    peer = await site.raw()
    octets = peer.lir()
    for number, octet in enumerate(octets):
        peer.write(bytes((octet,)))
        await peer.drain()
        if number % 50 == 0:
            await site.serves()
    answer = await peer.read()
    assert Message.decode(answer).result() == (0, 2001)
    await peer.works()


async def test_a_cer_that_trickles_in_ends_with_the_time_for_a_cer(site):
    """One octet a second never gets as far: nobody keeps a place without a CER."""
    await site.start()
    peer = await site.unheard()
    began = time.monotonic()

    async def trickle():
        for octet in peer.cer():
            peer.write(bytes((octet,)))
            await asyncio.sleep(1.0)

    trickling = asyncio.create_task(trickle())
    try:
        assert await peer.read() is None
    finally:
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
    assert time.monotonic() - began < 10
    await site.serves()


@pytest.mark.parametrize("octets", [16, 1 << 10, 1 << 20])
async def test_sixteen_mebibytes_of_avps_are_5012_and_hold_nobody_up(site, octets):
    """With the cap as high as the header allows: looked at in linear time; over 512 AVPs refused, else passed on."""
    await site.start(limits={"message_octets": 1 << 24, "unsent_octets": 1 << 26})
    peer = await site.raw()
    one = d.ERROR_MESSAGE.encode("x" * (octets - 8))
    count = ((1 << 24) - 4096) // len(one)
    answer = await peer.ask(peer.lir(one * count))
    assert answer.result() == (0, 5012 if count > 512 else 2001)
    assert await site.serves() < 20
    await peer.works()


async def test_a_flood_over_the_peers_rate_is_3004_and_the_other_peer_is_served(site):
    await site.start(raw_row={"requests_per_s": 10, "burst": 20})
    peer = await site.raw()
    peer.write(b"".join(peer.lir() for _ in range(3000)))
    assert await site.serves() < 30
    codes = [Message.decode(await peer.read()).result()[1] for _ in range(3000)]
    assert codes.count(3004) > 2000
    assert set(codes) == {2001, 3004}
    await site.serves()


async def test_a_peer_that_asks_and_never_reads_has_a_bound_and_the_other_is_served(site):
    limit = 1 << 16
    await site.start(limits={"unsent_octets": limit})
    peer = await site.raw()
    connection = site.proxy.node._by_name[RAW].connection
    peer._reader._transport.pause_reading()
    block = b"".join(peer.lir() for _ in range(200))
    for _ in range(100):
        peer.write(block)
        await asyncio.sleep(0)
        assert connection.unsent_octets <= 4 * limit
    await site.serves()
    assert connection.unsent_octets <= 4 * limit


async def test_answers_that_nobody_asked_for_are_dropped_by_the_thousand(site, tools):
    await site.start()
    peer = await site.raw()
    bogus = site.hss.success(Message.decode(peer.lir()))
    site.hss.node.send_all(PROXY, bogus * 2000, 2000)
    await tools.until(lambda: site.proxy.proxy.counters.answers_discarded == 2000)
    await site.serves()


async def test_restarts_in_a_storm_of_both_sides_leave_no_request_without_an_answer(site, tools):
    """Each request of the CSCF that behaves is answered 2001, 3002 or 3004, and in the end everything works."""
    await site.start(budgets={})
    codes = []

    async def ask():
        for _ in range(200):
            try:
                answer = await site.cscf.ask(PROXY, site.cscf.lir("sip:bob@ims.mc1.lab"), 60.0)
            except NodeError as exc:
                codes.append(type(exc).__name__)
            else:
                codes.append(answer.result()[1])

    asking = asyncio.create_task(ask())
    for _ in range(15):
        await tools.until(lambda: site.hss.node.is_open(PROXY))
        crashing = await site.raw()
        crashing.write(crashing.lir())
        crashing.reset()
        site.hss.node._by_name[PROXY].connection.abort()
        await tools.until(lambda: site.proxy.node.is_open(HSS))
        await tools.until(lambda: site.proxy.node.peers[RAW].state == "CLOSED")
    await asking
    assert set(codes) <= {2001, 3002, 3004}
    assert codes.count(2001) > 0
    await tools.until(lambda: site.proxy.node.is_ready(HSS) and site.hss.node.is_open(PROXY))
    await site.serves()
    peer = await site.raw()
    await peer.works()
