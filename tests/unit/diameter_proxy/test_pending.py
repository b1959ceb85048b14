"""Pending requests are found by peer and Hop-by-Hop (RFC 6733 §3, §5.5.4)."""

import pytest

from diameter_proxy.hot_path import ROOM_MIN, Pending, PendingRequests
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


WITHIN_S = 0.4
ALL = 20_000


class Server:
    """A peer that answers so many a tick of 50 ms, the oldest first; ``asked`` a tick, unless there is no room."""

    def __init__(self):
        self.table = PendingRequests(ALL)
        self.refused = 0
        self.waits = [0]
        self._waiting = []
        self._ticks = 0
        self._number = 0

    def run(self, ticks, *, asked, answers):
        """Let some ticks pass; ``waits`` are the ticks that those waited who were answered in them."""
        self.refused, self.waits = 0, [0]
        for _ in range(ticks):
            self._ticks += 1
            for _ in range(asked):
                if self.table.has_room("hss"):
                    self._ask()
                else:
                    self.refused += 1
            for pending, since in self._waiting[:answers]:
                self.table.settle(pending)
                self.waits.append(self._ticks - since)
            del self._waiting[:answers]
            self.table.pace(self._ticks * 0.05, WITHIN_S)

    @property
    def room(self):
        return self.table.rooms()["hss"][1]

    def _ask(self):
        self._number += 1
        pending = request()
        self.table.sent(pending, "hss", self._number)
        self._waiting.append((pending, self._ticks))


def test_a_peer_that_answers_in_time_has_all_the_room():
    server = Server()
    server.run(1, asked=600, answers=0)
    server.run(100, asked=200, answers=200)
    assert (server.refused, server.room) == (0, ALL)


@pytest.mark.parametrize("answers", [20, 60, 100, 200])
def test_a_peer_that_is_asked_too_much_gets_what_it_answers_in_time(answers):
    """What it is sent is answered within the time but for some ticks, nothing that it could answer is refused."""
    server = Server()
    server.run(200, asked=300, answers=answers)  # in which what came before it was known has gone
    server.run(100, asked=300, answers=answers)
    assert max(server.waits) <= 1.5 * WITHIN_S / 0.05
    assert server.refused == pytest.approx((300 - answers) * 100, rel=0.02)


def test_room_comes_back_when_the_peer_is_fast_again_or_is_asked_less():
    server = Server()
    server.run(60, asked=300, answers=60)
    server.run(40, asked=300, answers=400)
    assert server.room > 300
    server.run(40, asked=300, answers=400)
    assert (server.refused, server.room) == (0, ALL)


def test_a_peer_that_answers_nothing_gets_few():
    server = Server()
    server.run(40, asked=300, answers=0)
    assert (server.room, server.refused > 0) == (ROOM_MIN, True)


def test_few_that_are_slow_are_no_overload():
    server = Server()
    server.run(1, asked=ROOM_MIN - 1, answers=0)
    server.run(100, asked=0, answers=0)
    assert (server.room, server.table.has_room("hss")) == (ALL, True)


def test_some_answers_that_never_come_are_no_overload():
    server = Server()
    server.run(1, asked=150, answers=0)
    server._waiting.clear()
    server.run(100, asked=100, answers=100)
    assert server.refused == 0


def test_a_connection_begins_with_all_the_room():
    server = Server()
    server.run(40, asked=300, answers=0)
    server.table.lost("hss")
    assert server.table.has_room("hss")
