"""Peers by name, class and MC system (RFC 6733 §2.7)."""

from collections import Counter

from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.routing import Source


def test_peers_are_found_by_class_and_system_in_order():
    rows = [
        Neighbour("hss", "r1", Source.HSS),
        Neighbour("p1", "r2", Source.PARTNER, "mc2"),
        Neighbour("p2", "r2", Source.PARTNER, "mc2"),
    ]
    neighbours = Neighbours(rows, "own")
    assert neighbours.of_class(Source.HSS) == ("hss",)
    assert neighbours.of_class(Source.MMS) == ()
    assert neighbours.of_system("mc2") == ("p1", "p2")
    assert neighbours.of_system("mc9") == ()
    assert neighbours.realm_of_system["mc2"] == "r2"
    assert neighbours.served_realms == {b"own", b"r1"}


def first_served(rows, times):
    neighbours = Neighbours(rows, "r")
    return Counter(neighbours.of_class(Source.HSS)[0] for _ in range(times))


def test_without_weights_the_order_of_the_file_holds():
    rows = [Neighbour(name, "r", Source.HSS) for name in "ab"]
    assert first_served(rows, 10) == {"a": 10}


def test_load_is_shared_by_weight_within_the_best_priority():
    rows = [
        Neighbour("backup", "r", Source.HSS, priority=1),
        Neighbour("big", "r", Source.HSS, weight=30),
        Neighbour("small", "r", Source.HSS, weight=10),
        Neighbour("last", "r", Source.HSS),
    ]
    assert first_served(rows, 400) == {"big": 300, "small": 100}
    neighbours = Neighbours(rows, "r")
    orders = {neighbours.of_class(Source.HSS) for _ in range(8)}
    assert orders == {("big", "small", "last", "backup"), ("small", "big", "last", "backup")}


def test_an_agent_stands_for_the_systems_that_it_vouches_for():
    agent = Neighbour("dra", "transit", Source.PARTNER, vouches_for={b"r2": "mc2", b"r3": "mc3"})
    direct = Neighbour("p1", "r2", Source.PARTNER, "mc2")
    neighbours = Neighbours([direct, agent], "r")
    assert neighbours.of_system("mc2") == ("p1", "dra")
    assert neighbours.of_system("mc3") == ("dra",)
    assert neighbours.realm_of_system == {"mc2": "r2", "mc3": "r3"}
    assert [agent.system_of(realm) for realm in (b"R2", b"r3", b"r4")] == ["mc2", "mc3", ""]
    assert direct.system_of(b"r3") == "mc2"


def test_a_system_takes_turns_only_where_weights_say_so():
    alone, shared = (
        [Neighbour(name, "r2", Source.PARTNER, "mc2", weight=weight) for name in ("p1", "p2")] for weight in (0, 1)
    )
    assert not Neighbours(alone, "r").takes_turns("mc2")
    assert Neighbours(shared, "r").takes_turns("mc2")
    assert not Neighbours(shared, "r").takes_turns("mc9")


def test_agents_lead_to_their_realms_and_to_no_other():
    near, far = (
        Neighbour(name, "r", Source.AGENT, realms=realms)
        for name, realms in (("a", frozenset()), ("b", frozenset({b"r2"})))
    )
    neighbours = Neighbours([near, far, Neighbour("hss", "r3", Source.HSS)], "own")
    assert neighbours.toward(b"R") == ("a", "b")
    assert neighbours.toward(b"r2") == ("b",)
    assert neighbours.toward(b"r3") == ()
    assert neighbours.realms_for(Source.AGENT) == {b"r", b"r2"}
    assert neighbours.realms_for(Source.CSCF) == {b"own", b"r3"}


def test_a_fellow_is_of_the_same_class_and_system():
    rows = [
        Neighbour("hss", "r", Source.HSS),
        Neighbour("hss-b", "r", Source.HSS),
        Neighbour("mms", "r", Source.MMS),
        Neighbour("p1", "r2", Source.PARTNER, "mc2"),
        Neighbour("p2", "r2", Source.PARTNER, "mc2"),
        Neighbour("p3", "r3", Source.PARTNER, "mc3"),
    ]
    neighbours = Neighbours(rows, "r")
    assert neighbours.fellows("hss", ("mms", "hss-b", "stranger")) == ("hss-b",)
    assert neighbours.fellows("p1", ("p3", "p2")) == ("p2",)
    assert neighbours.fellows("stranger", ("hss",)) == ()
