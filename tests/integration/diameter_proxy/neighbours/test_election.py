"""freeDiameter and a node of ours connect to each other at once, and agree on who won (RFC 6733 §5.6.4)."""

import pytest

from diameter_proxy.node import ListenerConfig, Node, NodeConfig, PeerConfig
from tests.crossing import Crossing

OURS, REALM = "m.mc1.lab", "ims.mc1.lab"


@pytest.fixture
def agent(request, foreign, tmp_path):
    """Return a freeDiameter that is not started yet; it ends when nobody talks to it any more."""
    agent = foreign.agent("freeDiameter", tmp_path, host=request.param)
    yield agent
    agent.stop()


@pytest.fixture
async def crossing():
    between = Crossing()
    yield between
    await between.stop()


@pytest.fixture
async def node(agent, lab, tools, foreign, crossing):
    """Our node, open after its CER and that of freeDiameter have crossed."""
    config = NodeConfig(OURS, REALM, (ListenerConfig("127.0.0.1", 0),), ())
    node = Node(config, lambda peer, octets: None, lambda event: None)
    await node.start()
    lab.also(node.stop, deadline_s=0.5)
    agent.downstream = await crossing.relay("freeDiameter", tools.port_of(node))
    port = await crossing.relay("ours", agent.port)
    foreign.start_free_diameter(agent, connects_to=OURS, accepts=[])
    row = PeerConfig(agent.host, REALM, connect=True, address="127.0.0.1", port=port)
    node.reload(NodeConfig(OURS, REALM, config.listeners, (row,)), None)
    await tools.until(lambda: node.is_open(agent.host), 60.0)
    return node


@pytest.mark.parametrize("agent", ["a.mc1.lab"], indirect=True)
async def test_free_diameter_that_loses_keeps_the_connection_it_initiated(node, agent, crossing, tools):
    """Whoever reads the other's CER first ends ours: we, for we have won, or freeDiameter, with a CEA 4003."""
    await tools.until(lambda: crossing.ended_by("ours") and crossing.answers("freeDiameter"))
    assert crossing.answers("ours") in ([], [4003])
    assert crossing.answers("freeDiameter") == [2001]
    assert (node.peers[agent.host].state, node.peers[agent.host].connections_opened) == ("R_OPEN", 1)


@pytest.mark.parametrize("agent", ["z.mc1.lab"], indirect=True)
async def test_free_diameter_that_wins_closes_the_connection_it_initiated(node, agent, crossing, tools):
    await tools.until(lambda: crossing.ended_by("freeDiameter") and crossing.answers("ours"))
    assert crossing.answers("freeDiameter") in ([], [4003])
    assert crossing.answers("ours") == [2001]
    assert (node.peers[agent.host].state, node.peers[agent.host].connections_opened) == ("I_OPEN", 1)
