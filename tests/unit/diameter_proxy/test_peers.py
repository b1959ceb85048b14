"""Peers by name, class and MC system (RFC 6733 §2.7)."""

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
