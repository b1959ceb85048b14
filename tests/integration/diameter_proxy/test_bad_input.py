"""How a live proxy treats bad input: each row of one table, and a good request afterwards on the same connection.

Where the connection has to end, the good request comes on the next one.  What other stacks do is told in
docs/diameter-proxy.md.
"""

import asyncio

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import encode_avp, encode_message
from tests.integration.diameter_proxy.raw_peer import HSS, PROXY, RAW, REALM, RawPeer

DWR, DPR = 280, 282
LIMIT = 65536


@pytest.fixture
async def live(lab, tools):
    """A proxy with an HSS that answers, and a raw peer that is open."""
    live = Live(lab, tools)
    await live.start()
    yield live
    for peer in (live.peer, *live.others):
        peer.close()


class Live:
    """What a row is tried on."""

    def __init__(self, lab, tools):
        self._lab, self._tools = lab, tools
        self.others = []

    async def another(self):
        """Connect once more, and say nothing."""
        self.others.append(await RawPeer.connected(self.port))
        return self.others[-1]

    async def start(self):
        tools, lab = self._tools, self._lab
        self.hss = await lab.station(HSS, REALM, [PROXY])
        self.hss.answer = self.hss.success
        peers = [
            tools.peer(RAW, REALM, "cscf"),
            tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(self.hss.node)),
        ]
        self.proxy = await lab.proxy(lab.tables("mc1", peers=peers, budgets={}))
        await lab.open(self.hss, PROXY)
        self.port = tools.port_of(self.proxy)
        self.peer = await RawPeer.opened(self.port)

    async def closed_and_lives(self):
        """The connection ends, and the next one works."""
        assert await self.peer.read() is None
        self.peer.close()
        self.peer = await RawPeer.opened(self.port)
        await self.peer.works()


async def test_version_2_is_5011_and_the_end(live):
    bad = live.peer.lir()
    answer = await live.peer.ask(b"\2" + bad[1:])
    assert answer.get(d.RESULT_CODE) == 5011
    await live.closed_and_lives()


@pytest.mark.parametrize("length", [0, 16, LIMIT + 4, (1 << 24) - 4])
async def test_a_length_that_cannot_be_ends_the_connection(live, length):
    """Shorter than a header (RFC 6733 §3), over ``limits.message_octets``, or 16 MiB: before the rest has come."""
    live.peer.write(b"\1" + length.to_bytes(3, "big") + live.peer.lir()[4:])
    await live.closed_and_lives()


async def test_a_length_that_is_no_multiple_of_4_is_5015(live):
    octets = live.peer.lir() + b"\0\0"
    answer = await live.peer.ask(b"\1" + len(octets).to_bytes(3, "big") + octets[4:])
    assert answer.get(d.RESULT_CODE) == 5015
    await live.peer.works()
    assert len(live.hss.got) == 1


@pytest.mark.parametrize("avp", ["0000000140000000", "0000000140000003", "00000001400000ff", "00000001c0000009"])
async def test_an_avp_that_overruns_or_is_too_short_is_5014_with_it(live, avp):
    answer = await live.peer.ask(live.peer.lir(bytes.fromhex(avp)))
    assert answer.get(d.RESULT_CODE) == 5014
    assert answer.get(d.FAILED_AVP) is not None
    await live.peer.works()
    assert len(live.hss.got) == 1


async def test_an_unknown_mandatory_avp_of_a_cx_request_is_forwarded(live):
    answer = await live.peer.ask(live.peer.lir(encode_avp(60_000, b"?")))
    assert answer.result() == (0, 2001)
    assert encode_avp(60_000, b"?") in live.hss.got[0].octets
    await live.peer.works()


@pytest.mark.parametrize("avp", ["00000116c000001000000000 00000001", "0000010d7f00000c61626364"], ids=["V", "M, P, r"])
async def test_an_avp_of_a_cx_request_is_forwarded_whatever_its_flags_say(live, avp):
    """RFC 6733 §4.1: not ours to judge; in a message for us the first one would be 3009 (§7.1.3)."""
    answer = await live.peer.ask(live.peer.lir(bytes.fromhex(avp)))
    assert answer.result() == (0, 2001)
    assert bytes.fromhex(avp) in live.hss.got[0].octets


async def test_an_unknown_mandatory_avp_of_a_dwr_is_5001(live):
    avps = [d.ORIGIN_HOST.encode(RAW), d.ORIGIN_REALM.encode(REALM), encode_avp(60_000, b"?")]
    answer = await live.peer.ask(encode_message(0x80, DWR, 0, 3, 3, avps))
    assert answer.get(d.RESULT_CODE) == 5001
    assert answer.get(d.FAILED_AVP) is not None
    await live.peer.works()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda peer: _flags(peer.lir(), 0xE0), 3008),
        (lambda peer: _flags(peer.lir(), 0x80), 3001),
        (lambda peer: peer.lir(realm=None), 5005),
        (lambda peer: peer.lir(realm="ims.mc9.lab"), 3003),
        (lambda peer: _application(peer.lir(), 4), 3002),
        (lambda peer: peer.lir(d.ROUTE_RECORD.encode(PROXY)), 3005),
    ],
    ids=["R and E", "no P", "no realm", "unknown realm", "unknown application", "loop"],
)
async def test_what_cannot_be_routed_is_answered_by_the_proxy(live, make, code):
    """RFC 6733 §7.1.3: protocol errors, and only they, have the E bit; nothing reaches the HSS."""
    answer = await live.peer.ask(make(live.peer))
    assert answer.get(d.RESULT_CODE) == code
    assert answer.header.is_error == (code < 4000)
    assert answer.get(d.ORIGIN_HOST) == PROXY
    assert live.hss.got == []
    await live.peer.works()


def _flags(octets, flags):
    return octets[:4] + bytes((flags,)) + octets[5:]


def _application(octets, number):
    return octets[:8] + number.to_bytes(4, "big") + octets[12:]


async def test_a_connection_that_says_nothing_is_closed_within_10_s(live):
    silent = await live.another()
    async with asyncio.timeout(10):
        assert await silent.read() is None
    await live.peer.works()


async def test_a_stranger_hears_3010_with_e_and_the_end(live):
    stranger = await live.another()
    answer = await stranger.ask(stranger.cer("stranger.mc1.lab"))
    assert (answer.get(d.RESULT_CODE), answer.header.is_error) == (3010, True)
    assert await stranger.read() is None
    await live.peer.works()


async def test_a_second_connection_of_a_peer_that_lives_is_rejected(live):
    second = await live.another()
    second.write(second.cer())
    dwr = await _watchdog_of(live.peer)
    live.peer.write(_dwa(dwr))
    refusal = await second.read()
    assert refusal is None or Message.decode(refusal).result() != (0, 2001)
    await live.peer.works()


async def test_what_a_dead_connection_asked_is_not_answered_on_the_next_one(live, tools):
    """Its Hop-by-Hop may be another request's there (RFC 6733 §3)."""
    live.hss.answer = lambda message: None
    live.peer.write(live.peer.lir())
    await tools.until(lambda: live.hss.got)
    live.peer.reset()
    live.peer = await RawPeer.opened(live.port)
    live.hss.node.send(PROXY, live.hss.success(live.hss.got[-1]))
    live.hss.answer = live.hss.success
    live.peer.lir()  # the same numbers as the first one's
    await live.peer.works()
    assert live.proxy.proxy.counters.answers_undeliverable == 1
    assert live.proxy.proxy.pending_count == 0


async def test_a_second_connection_replaces_one_that_is_dead(live):
    """Kamailio comes again without closing: the first one does not answer a watchdog any more."""
    second = await live.another()
    assert (await second.ask(second.cer())).result() == (0, 2001)
    await second.works()


async def _watchdog_of(peer):
    """Return the next DWR on a connection, which ``read`` passes over."""
    async with asyncio.timeout(30):
        head = await peer._reader.readexactly(4)
        octets = head + await peer._reader.readexactly(int.from_bytes(head[1:], "big") - 4)
    assert octets[5:8] == DWR.to_bytes(3, "big")
    return octets


def _dwa(dwr):
    avps = [d.RESULT_CODE.encode(2001), d.ORIGIN_HOST.encode(RAW), d.ORIGIN_REALM.encode(REALM)]
    return encode_message(0, DWR, 0, int.from_bytes(dwr[12:16], "big"), int.from_bytes(dwr[16:20], "big"), avps)


async def test_an_hss_that_never_answers_is_3002_at_the_deadline(live):
    live.hss.answer = lambda message: None
    answer = await live.peer.ask(live.peer.lir())
    assert answer.result() == (0, 3002)
    live.hss.answer = live.hss.success
    await live.peer.works()


async def test_a_3004_without_an_alternate_is_passed_on(live):
    live.hss.answer = lambda message: live.hss.success(message, result_code=3004)
    assert (await live.peer.ask(live.peer.lir())).result() == (0, 3004)
    live.hss.answer = live.hss.success
    await live.peer.works()


async def test_an_answer_that_nobody_asked_for_is_discarded_and_counted(live, tools):
    bogus = live.hss.success(Message.decode(live.peer.lir()))
    live.hss.node.send(PROXY, bogus)
    await tools.until(lambda: live.proxy.proxy.counters.answers_discarded == 1)
    await live.peer.works()


@pytest.mark.parametrize("cause", DisconnectCause)
async def test_a_dpr_is_answered_and_the_peer_may_come_again(live, cause):
    avps = [d.ORIGIN_HOST.encode(RAW), d.ORIGIN_REALM.encode(REALM), d.DISCONNECT_CAUSE.encode(cause)]
    answer = await live.peer.ask(encode_message(0x80, DPR, 0, 7, 7, avps))
    assert answer.result() == (0, 2001)
    await live.closed_and_lives()


@pytest.mark.parametrize(("cause", "comes_again"), [(0, True), (1, False), (2, False)])
async def test_the_proxy_connects_again_after_a_dpr_only_where_the_cause_is_rebooting(live, tools, cause, comes_again):
    """RFC 6733 §5.4.3; BUSY and DO_NOT_WANT_TO_TALK_TO_YOU are left alone."""
    link = live.proxy.node._by_name[HSS]
    avps = [d.ORIGIN_HOST.encode(HSS), d.ORIGIN_REALM.encode(REALM), d.DISCONNECT_CAUSE.encode(cause)]
    live.hss.node._by_name[PROXY].connection.write(encode_message(0x80, DPR, 0, 7, 7, avps))
    await tools.until(lambda: not live.proxy.node.is_open(HSS))
    answer = await live.peer.ask(live.peer.lir(d.USER_NAME.encode("x")))
    if comes_again:
        await tools.until(lambda: live.proxy.node.is_open(HSS))
        await live.peer.works()
    else:
        assert answer.result() == (0, 3002)
        assert link._reconnection.due > live.proxy.node.now() + 60
