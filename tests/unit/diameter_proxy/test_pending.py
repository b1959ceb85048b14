"""Pending requests are found by peer and Hop-by-Hop (RFC 6733 §3, §5.5.4)."""

from diameter_proxy.hot_path import Pending, PendingRequests
from diameter_proxy.routing import Route


def request():
    return Pending("cscf", b"", [], Route.HSS, 303, b"", ("hss",), 0.0, 1.0)


def test_a_request_is_found_under_each_number_until_it_is_settled():
    table, pending = PendingRequests(2), request()
    table.sent(pending, "hss", 7)
    table.sent(pending, "hss-b", 8)
    assert table.count == 1
    assert table.find("hss", 7) is table.find("hss-b", 8) is pending
    assert table.find("hss", 8) is None
    table.settle(pending)
    table.settle(pending)
    assert table.find("hss", 7) is table.find("nobody", 7) is None
    assert table.count == 0


def test_a_number_of_a_lost_connection_may_be_used_by_the_next():
    table, old, new = PendingRequests(9), request(), request()
    table.sent(old, "hss", 7)
    assert table.of_peer("hss") == [old]
    table.lost("hss")
    table.sent(new, "hss", 7)
    table.settle(old)
    assert table.find("hss", 7) is new


def test_the_table_says_when_it_is_full():
    table = PendingRequests(1)
    assert not table.is_full
    table.sent(request(), "hss", 1)
    assert table.is_full
