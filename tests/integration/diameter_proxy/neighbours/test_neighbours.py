"""freeDiameter and Erlang/OTP diameter beside our proxy, on the CSCFs' side and on the HSS's side (RFC 6733).

    S-CSCF -- agent -- proxy -- HSS        the agent connects to the proxy
    S-CSCF -- proxy -- agent -- HSS        the proxy connects to the agent

What both stacks read and pass on is what the proxy made; what it takes is what they made.
"""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, MAR, PPR, RTR, SAR, UAR
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError
from diameter_proxy.node.node import Node

CER, DWR, DPR = 257, 280, 282
SCSCF, HSS, PROXY, REALM = "scscf.mc1.lab", "hss.mc1.lab", "proxy1.mc1.lab", "ims.mc1.lab"
IMPI, IMPU = "001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab"
SLOW_S = 60.0
"""A foreign stack may take some seconds to try again."""


@pytest.fixture(scope="module", params=["freeDiameter", "Erlang diameter"])
def before_proxy(request, foreign, tmp_path_factory):
    """An agent that S-CSCFs connect to, and that connects to the proxy."""
    agent = foreign.agent(request.param, tmp_path_factory.mktemp("before"))
    foreign.start[request.param](agent, connects_to=PROXY, accepts=[SCSCF])
    yield agent
    agent.stop()


@pytest.fixture(scope="module", params=["freeDiameter", "Erlang diameter"])
def behind_proxy(request, foreign, tmp_path_factory):
    """An agent that the proxy connects to, and that connects to the HSS."""
    agent = foreign.agent(request.param, tmp_path_factory.mktemp("behind"))
    foreign.start[request.param](agent, connects_to=HSS, accepts=[PROXY])
    yield agent
    agent.stop()


async def listening(lab, station, port, peer):
    """Start a station at a certain port; the peer connects."""
    config = NodeConfig(
        origin_host=station.host,
        origin_realm=station.realm,
        listeners=(ListenerConfig("127.0.0.1", port),),
        peers=(PeerConfig(peer, REALM),),
    )
    station.node = Node(config, station.on_request, lambda event: None, lambda peer, octets: None)
    await station.node.start()
    lab.also(station.node.stop, deadline_s=0.5)
    return station


@pytest.fixture
async def on_cscf_side(lab, tools, foreign, before_proxy):
    """S-CSCF -- agent -- tap -- proxy -- HSS."""
    return await Exchange(lab, tools, foreign, before_proxy).before()


@pytest.fixture
async def on_hss_side(lab, tools, foreign, behind_proxy):
    """S-CSCF -- proxy -- tap -- agent -- HSS."""
    return await Exchange(lab, tools, foreign, behind_proxy).behind()


class Exchange:
    """A whole chain around one foreign agent."""

    def __init__(self, lab, tools, foreign, agent):
        self.lab, self.tools, self.foreign, self.agent = lab, tools, foreign, agent

    async def before(self):
        lab, tools, agent = self.lab, self.tools, self.agent
        self.hss = await lab.station(HSS, REALM, [PROXY])
        self.peers = [
            tools.peer(agent.host, REALM, "cscf"),
            tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(self.hss.node)),
        ]
        await self.start_proxy(listen=agent.downstream)
        self.scscf = await lab.station(SCSCF, REALM, [agent.host], port=agent.port)
        self.asks = agent.host
        return await self._opened()

    async def behind(self):
        lab, tools, agent = self.lab, self.tools, self.agent
        self.tap = self.foreign.tap(agent.port)
        await self.tap.start()
        lab.also(self.tap.stop)
        self.hss = await listening(lab, lab.new_station(HSS, REALM), agent.downstream, agent.host)
        self.peers = [
            tools.peer(SCSCF, REALM, "cscf"),
            tools.peer(agent.host, REALM, "hss", connect=True, address="127.0.0.1", port=self.tap.port),
        ]
        await self.start_proxy()
        self.scscf = await lab.station(SCSCF, REALM, [PROXY], port=tools.port_of(self.proxy))
        self.asks = PROXY
        return await self._opened()

    async def start_proxy(self, *, listen=0):
        node = {"watchdog_s": 1.0, "reconnect_s": 0.05, "reconnect_max_s": 0.2}
        tables = self.lab.tables("mc1", peers=self.peers)
        tables["node"].update(node)
        tables["listeners"] = [{"address": "127.0.0.1", "port": listen}]
        self.proxy = await self.lab.proxy(tables)

    async def _opened(self):
        self.hss.answer = lambda message: self.hss.success(message)
        await self.tools.until(self.is_open, SLOW_S)
        return self

    def is_open(self):
        others = [(self.scscf.node, self.asks), (self.proxy.node, self.agent.host)]
        hss_peer = self.agent.host if self.asks == PROXY else PROXY
        return all(node.is_open(peer) for node, peer in [*others, (self.hss.node, hss_peer)])

    def requests(self):
        """Return one request of each command that an I- or S-CSCF sends."""
        scscf = self.scscf
        named = (d.USER_NAME.encode(IMPI), d.PUBLIC_IDENTITY.encode(IMPU))
        server_name = d.SERVER_NAME.encode("sip:scscf.mc1.lab:6060")
        assignment = (d.SERVER_ASSIGNMENT_TYPE.encode(1), d.USER_DATA_ALREADY_AVAILABLE.encode(0))
        return {
            UAR: scscf.uar(IMPI, IMPU),
            SAR: scscf.request(SAR, *named, server_name, *assignment),
            LIR: scscf.lir(IMPU),
            MAR: scscf.mar(IMPI, IMPU),
        }

    async def ask(self, octets, deadline_s=30.0):
        """Send a request to the first hop and return its answer."""
        return await self.scscf.ask(self.asks, octets, deadline_s)

    async def works(self):
        """Wait until a request goes through and back."""

        async def once():
            try:
                answer = await self.ask(self.scscf.lir(IMPU), 1.0)
            except NodeError:
                return False
            return answer.result() == (0, 2001)

        await self.tools.until_async(once, SLOW_S)


async def test_requests_of_cscfs_pass_an_agent_before_the_proxy(on_cscf_side):
    """RFC 6733 §6.1.9, §6.2.2: as the agent passed them, with its Route-Record and ours; answers come back."""
    chain = on_cscf_side
    await chain.works()
    for command, octets in chain.requests().items():
        answer = await chain.ask(octets)
        assert answer.result() == (0, 2001), command.name
        (request,) = [m for m in chain.hss.requests(command) if m.get(d.SESSION_ID) == answer.get(d.SESSION_ID)]
        assert request.all(d.ROUTE_RECORD) == [SCSCF, chain.agent.host]
        assert request.header.end_to_end == answer.header.end_to_end
        assert request.get(d.PUBLIC_IDENTITY) == IMPU


async def test_requests_of_cscfs_pass_an_agent_behind_the_proxy(on_hss_side):
    chain = on_hss_side
    await chain.works()
    for command, octets in chain.requests().items():
        answer = await chain.ask(octets)
        assert answer.result() == (0, 2001), command.name
        (request,) = [m for m in chain.hss.requests(command) if m.get(d.SESSION_ID) == answer.get(d.SESSION_ID)]
        assert request.all(d.ROUTE_RECORD) == [SCSCF, PROXY]
        assert request.get(d.PUBLIC_IDENTITY) == IMPU


async def test_requests_of_the_hss_pass_an_agent_behind_the_proxy(on_hss_side):
    """RTR and PPR go to the S-CSCF named by Destination-Host (TS 29.228 §6.1.3, §6.2)."""
    chain = on_hss_side
    await chain.works()
    scscf, hss = chain.scscf, chain.hss
    scscf.answer = lambda message: scscf.success(message)
    reason = d.DEREGISTRATION_REASON.encode(d.REASON_CODE.encode(0))
    named = (d.USER_NAME.encode(IMPI), d.PUBLIC_IDENTITY.encode(IMPU))
    for command, avps in ((RTR, (*named, reason)), (PPR, (named[0], d.USER_DATA.encode(b"<IMSSubscription/>")))):
        answer = await hss.ask(chain.agent.host, hss.request(command, *avps, host=SCSCF))
        assert answer.result() == (0, 2001), command.name
        (request,) = scscf.requests(command)
        assert request.get(d.USER_NAME) == IMPI
        assert request.all(d.ROUTE_RECORD) == [HSS, chain.agent.host]


async def test_capabilities_and_watchdogs_are_taken_both_ways(on_hss_side):
    """RFC 6733 §5.3, RFC 3539 §3.4: CER and CEA, DWR and DWA, as they are on the wire."""
    tap = on_hss_side.tap
    await on_hss_side.tools.until(lambda: tap.of("back", DWR, is_request=False), SLOW_S)
    cer, cea = tap.of("there", CER, is_request=True)[-1], tap.of("back", CER, is_request=False)[-1]
    assert (cer.get(d.ORIGIN_HOST), cea.get(d.ORIGIN_HOST)) == (PROXY, on_hss_side.agent.host)
    assert cea.result() == (0, 2001)
    assert all(dwa.result() == (0, 2001) for dwa in tap.of("back", DWR, is_request=False))


async def test_our_good_bye_is_answered(on_hss_side):
    """RFC 6733 §5.4: DPR and DPA."""
    tap = on_hss_side.tap
    await on_hss_side.proxy.stop()
    (dpr,), (dpa,) = tap.of("there", DPR, is_request=True), tap.of("back", DPR, is_request=False)
    assert dpr.get(d.DISCONNECT_CAUSE) is DisconnectCause.REBOOTING
    assert dpa.result() == (0, 2001)


async def test_tshark_finds_nothing_wrong_with_what_the_proxy_emits(on_hss_side, foreign, tmp_path):
    """Everything that left the proxy toward the agent in a whole life: CER, DWR, four requests, DPR."""
    chain = on_hss_side
    await chain.works()
    for octets in chain.requests().values():
        await chain.ask(octets)
    await chain.tools.until(lambda: chain.tap.of("there", DWR, is_request=True), SLOW_S)
    await chain.proxy.stop()
    emitted = [octets for way, octets in chain.tap.messages if way == "there"]
    codes = {int.from_bytes(octets[5:8], "big") for octets in emitted}
    assert codes >= {CER, DWR, DPR, *(command.code for command in chain.requests())}
    assert foreign.expert_warnings(tmp_path, emitted) == []


async def test_an_agent_that_restarts_is_connected_to_again(on_hss_side):
    """RFC 6733 §5.4: its DPR, if it says one, is answered; we connect again, and requests pass again."""
    chain = on_hss_side
    await chain.works()
    chain.agent.restart()
    await chain.tools.until(lambda: chain.proxy.node.peers[chain.agent.host].connections_opened >= 2, SLOW_S)
    await chain.tools.until(chain.is_open, SLOW_S)
    await chain.works()


async def test_an_agent_connects_again_to_a_proxy_that_restarts(on_cscf_side):
    chain = on_cscf_side
    await chain.works()
    await chain.proxy.stop()
    await chain.start_proxy(listen=chain.agent.downstream)
    await chain.works()
