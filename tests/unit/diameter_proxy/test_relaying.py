"""What is not mapped passes unchanged but for Hop-by-Hop and Route-Record (RFC 6733 §6.1.5 to §6.1.9)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import RTR
from diameter_proxy.diameter.message import Message
from diameter_proxy.forwarding import Forwarder
from diameter_proxy.hot_path import Counters, locate
from diameter_proxy.ownership import Claim, Owner
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.relaying import Relaying
from diameter_proxy.routing import MAR, Route, Source
from diameter_proxy.routing_rules import Rule
from diameter_proxy.server_names import ServerNames
from diameter_proxy.settings import Settings
from diameter_proxy.validation import Refused

HSSS = ("hss.mc2.lab", "hss-b.mc2.lab")
OWN = Claim(Owner.OWN, None, b"bob@ims.mc2.lab", (b"sip:bob@ims.mc2.lab",))


@pytest.fixture
def relaying(made, wire):
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset(), b"")
    forwarder = Forwarder(settings, wire, Counters(), lambda: 0.0)
    told = lambda impi, impus: None  # noqa: E731 - nobody migrates here
    return Relaying(settings, made.neighbours(), wire, forwarder, ServerNames(""), told, lambda: 0.0)


def relay(relaying, made, *more):
    peer = made.neighbours().by_host["scscf.mc2.lab"]
    message = made.mar(made.partner, *more)
    relaying.relay(peer, message, locate(message), MAR, Route.HSS, 0.0, HSSS, OWN)


def test_destination_host_chooses_the_hss_and_ours_is_taken_out(relaying, made, wire):
    relay(relaying, made, d.DESTINATION_HOST.encode("HSS-B.mc2.lab"))
    relay(relaying, made, d.DESTINATION_HOST.encode("proxy1.mc2.lab"))
    assert [peer for peer, _ in wire.sent] == ["hss-b.mc2.lab", "hss.mc2.lab"]
    assert Message.decode(wire.sent[1][1]).get(d.DESTINATION_HOST) is None
    with pytest.raises(Refused):
        relay(relaying, made, d.DESTINATION_HOST.encode("other.mc2.lab"))


def test_peers_in_route_record_are_left_out(relaying, made, wire):
    relay(relaying, made, d.ROUTE_RECORD.encode("hss.mc2.lab"))
    peer, octets = wire.sent[-1]
    assert peer == "hss-b.mc2.lab"
    assert Message.decode(octets).all(d.ROUTE_RECORD) == ["hss.mc2.lab", "scscf.mc2.lab"]


def test_an_rtr_without_destination_host_is_5005(relaying, made):
    message = made.mar(made.partner, command=RTR)
    peer = made.neighbours().by_host["hss.mc2.lab"]
    with pytest.raises(Refused) as caught:
        relaying.to_scscf(peer, message, locate(message), RTR.code, OWN, 0.0)
    assert caught.value.refusal.result_code == 5005


AGENTS = (
    Neighbour("proxy1.mc2.lab", "ims.mc2.lab", Source.AGENT),
    Neighbour("proxy2.mc2.lab", "ims.mc2.lab", Source.AGENT),
    Neighbour("edge.mc1.lab", "ims.mc1.lab", Source.AGENT, realms=frozenset({b"ims.mc3.lab"})),
    Neighbour("hss.mc2.lab", "ims.mc2.lab", Source.HSS),
)


@pytest.mark.parametrize(
    ("realm", "more", "sender", "served"),
    [
        ("ims.mc1.lab", (), "proxy1.mc2.lab", ["edge.mc1.lab"]),
        ("IMS.mc3.lab", (), "proxy1.mc2.lab", ["edge.mc1.lab"]),
        ("ims.mc2.lab", (), "proxy1.mc2.lab", ["proxy2.mc2.lab"]),
        ("ims.mc2.lab", (d.DESTINATION_HOST.encode("Proxy2.mc2.lab"),), "edge.mc1.lab", ["proxy2.mc2.lab"]),
        ("ims.mc2.lab", (d.DESTINATION_HOST.encode("hss.mc2.lab"),), "edge.mc1.lab", ["proxy1.mc2.lab"]),
        ("ims.mc2.lab", (d.ROUTE_RECORD.encode("proxy1.mc2.lab"),), "edge.mc1.lab", ["proxy2.mc2.lab"]),
    ],
)
def test_an_agents_request_goes_by_host_else_by_realm_never_back_and_never_to_a_database(
    relaying, made, wire, realm, more, sender, served
):
    """RFC 6733 §6.1.5 to §6.1.7: the peer named, else one toward the realm that has not had it."""
    neighbours = Neighbours(AGENTS, "ims.mc2.lab")
    relaying.reconfigure(Settings("edge.mc2.lab", "ims.mc2.lab", frozenset(), b""), neighbours)
    message = made.mar(made.partner, *more, realm=realm)
    peer = neighbours.by_host[sender]
    relaying.by_realm(peer, message, locate(message), MAR, 0.0, OWN)
    assert [host for host, _ in wire.sent] == served
    assert Message.decode(wire.sent[0][1]).all(d.ROUTE_RECORD)[-1] == sender


def test_a_rule_says_which_agent_serves(relaying, made, wire):
    neighbours = Neighbours(AGENTS, "ims.mc2.lab", [Rule("all", ("proxy2.mc2.lab",), commands=frozenset({MAR}))])
    relaying.reconfigure(Settings("edge.mc2.lab", "ims.mc2.lab", frozenset(), b""), neighbours)
    message = made.mar(made.partner, realm="ims.mc1.lab")
    found, peer = locate(message), neighbours.by_host["edge.mc1.lab"]
    relaying.by_realm(peer, message, found, MAR, 0.0, OWN)
    assert [host for host, _ in wire.sent] == ["proxy2.mc2.lab"]
    assert relaying.toward(peer, message, found, MAR) == (("proxy2.mc2.lab",), "all")
