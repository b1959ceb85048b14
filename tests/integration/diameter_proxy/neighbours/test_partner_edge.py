"""A foreign stack at the edge of the partner: our proxy maps, CSC-Y goes to it, and it relays (TS 23.280 CR, 10.6.2).

    S-CSCF of mc2 -- proxy of mc2 -- CSC-Y -- freeDiameter or Erlang diameter as proxy1.mc1.lab -- HSS of mc1

With freeDiameter over TLS, certificates on both sides.
"""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError
from diameter_proxy.node.node import Node

EDGE, PROXY, SCSCF, HSS = "proxy1.mc1.lab", "proxy1.mc2.lab", "scscf.mc2.lab", "hss.mc1.lab"
PARTNER_SET = ("mig-p1@ims.mc2.lab", "sip:mig-p1@ims.mc2.lab")
PRIMARY_SET = ("mig-h1@ims.mc1.lab", "sip:mig-h1@ims.mc1.lab")
SLOW_S = 60.0


class Edge:
    """The chain, open, with the first MAA that came through it and the MAR that the HSS got."""

    def __init__(self, scscf, hss, proxy):
        self.scscf, self.hss, self.proxy = scscf, hss, proxy
        self.first = None

    async def works(self):
        """Say whether a vector comes back; a foreign stack knows its peers some time after our nodes do."""
        try:
            answer = await self.scscf.ask(PROXY, self.scscf.mar(*PARTNER_SET), 1.0)
        except NodeError:
            return False
        if answer.result() != (0, 2001):
            return False
        self.first = answer, self.hss.requests(MAR)[-1]
        return True

    async def authenticate(self):
        """Ask for a vector of the migrated user; return the MAA, and the MAR that the HSS got."""
        answer = await self.scscf.ask(PROXY, self.scscf.mar(*PARTNER_SET))
        return answer, self.hss.requests(MAR)[-1]


@pytest.fixture(params=["freeDiameter", "Erlang diameter"])
def agent(request, foreign, tmp_path):
    """Return a foreign agent that is not started yet; it ends when nobody talks to it any more."""
    agent = foreign.agent(request.param, tmp_path, host=EDGE)
    yield agent
    agent.stop()


@pytest.fixture
async def edge(agent, lab, tools, foreign):
    is_secured = agent.name == "freeDiameter"
    credentials = None
    if is_secured:
        leaf = lab.certificate("mc1", EDGE)
        authorities = (lab.authority("mc1"), lab.authority("mc2"))
        credentials = (leaf["certificate"], leaf["private_key"], *authorities)
    start = foreign.start[agent.name]
    start(agent, connects_to=HSS, accepts=[PROXY], credentials=credentials, is_relay_secured=is_secured)
    return await _chain(lab, tools, agent, is_secured)


async def _chain(lab, tools, agent, is_secured):
    hss = lab.new_station(HSS, "ims.mc1.lab")
    listeners, peers = (ListenerConfig("127.0.0.1", agent.downstream),), (PeerConfig(EDGE, "ims.mc1.lab"),)
    config = NodeConfig(origin_host=HSS, origin_realm="ims.mc1.lab", listeners=listeners, peers=peers)
    hss.node = Node(config, hss.on_request, lambda event: None, lambda peer, octets: None)
    await hss.node.start()
    lab.also(hss.node.stop, deadline_s=0.5)
    hss.answer = hss.multimedia_auth
    feed, feed_port = await lab.feed("mc2", "ims.mc2.lab")
    feed.lend("b1", "partner", "mc1", PARTNER_SET, PRIMARY_SET)
    secured = {"tls": True, "ca": lab.authority("mc1")} if is_secured else {"allow_plain": True}
    port = agent.secured_port if is_secured else agent.port
    where = {"connect": True, "address": "127.0.0.1", "port": port}
    rows = [
        tools.peer(SCSCF, "ims.mc2.lab", "cscf"),
        tools.peer(EDGE, "ims.mc1.lab", "partner", system="mc1", **where, **secured),
    ]
    proxy = await lab.proxy(lab.tables("mc2", peers=rows, feed_port=feed_port))
    scscf = await lab.station(SCSCF, "ims.mc2.lab", [PROXY], port=tools.port_of(proxy))
    await lab.open(scscf, PROXY)
    await tools.until(lambda: proxy.node.is_open(EDGE) and hss.node.is_open(EDGE), SLOW_S)
    chain = Edge(scscf, hss, proxy)
    await tools.until_async(chain.works, SLOW_S)
    return chain


async def test_a_migrated_user_is_authenticated_through_a_foreign_edge(edge, foreign, tmp_path):
    """10.6.2 steps 4 to 10: mapped on the way out, as asked on the way back, End-to-End the same."""
    lane = edge.proxy.proxy.lane
    taken = lane.taken
    for answer, request in [edge.first, await edge.authenticate(), await edge.authenticate()]:
        assert answer.result() == (0, 2001)
        assert (request.get(d.USER_NAME), request.get(d.PUBLIC_IDENTITY)) == PRIMARY_SET
        assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == PARTNER_SET
        assert request.header.end_to_end == answer.header.end_to_end
        assert b"mig-p1" not in request.octets
    assert lane.taken == taken + 2, "the second and third went on the express lane"
    assert foreign.expert_warnings(tmp_path, [request.octets]) == []


async def test_what_the_edge_cannot_deliver_comes_back_with_the_identities_as_asked(edge, tools):
    """RFC 6733 §6.1.7, §7.2: 3002 of the foreign stack, passed on; Kamailio needs the identities in it."""
    await edge.hss.node.stop(deadline_s=1.0)
    answer = await edge.scscf.ask(PROXY, edge.scscf.mar(*PARTNER_SET))
    assert answer.header.is_error
    assert answer.result() == (0, 3002)
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == PARTNER_SET
