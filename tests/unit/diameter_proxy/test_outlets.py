"""One write for each peer after a read, and nothing lost when its connection has gone meanwhile."""

from types import SimpleNamespace

import pytest

from diameter_proxy.hot_path import Counters, Outlets, Pending, PendingRequests
from diameter_proxy.routing import Route

REQUEST = bytes.fromhex("01000014c000012f010000000000000700000009")
ANSWER = bytes.fromhex("010000144000012f010000000000000700000009")


@pytest.fixture
def case(new_wire):
    wire, pending, counters, gone_on = new_wire(), PendingRequests(1000), Counters(), []
    outlets = Outlets(wire, pending, counters, gone_on.append)
    outlets.begin([REQUEST * 2])

    def open_one(*peers):
        return outlets.open_one([outlets.of(peer) for peer in peers])

    return SimpleNamespace(
        wire=wire, pending=pending, counters=counters, gone_on=gone_on, outlets=outlets, open_one=open_one
    )


def test_what_is_for_one_peer_is_one_write_in_order(case):
    for peer, octets in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        case.outlets.add(case.outlets.of(peer), octets)
    assert case.wire.sent == []
    case.outlets.flush()
    assert case.wire.sent == [("a", b"13"), ("b", b"2")]
    case.outlets.flush()
    assert len(case.wire.sent) == 2


def test_the_first_that_is_open_and_has_room_is_taken(case):
    case.wire.closed.add("a")
    assert case.open_one("a", "b").peer == "b"
    case.open_one("a", "b").left = 0
    assert case.open_one("a", "b") is None
    assert case.outlets.is_any_ready(("a", "b"))
    assert not case.outlets.is_any_ready(("a",))


def test_a_peer_is_asked_once_a_read_and_has_numbers_for_all_its_messages(case):
    first = case.open_one("a").hop_by_hop
    case.wire.closed.add("a")
    assert case.open_one("a").hop_by_hop == first
    case.outlets.begin([REQUEST * 4, ANSWER])
    assert case.open_one("a") is None
    case.wire.closed.clear()
    case.outlets.begin([REQUEST * 4, ANSWER])
    assert case.open_one("a").hop_by_hop >= first + 2


def test_what_a_peer_may_still_be_sent_is_its_room_and_no_more_than_was_read(case):
    assert case.open_one("a").left == 2
    case.pending.queue_of("a").room = 1
    case.outlets.begin([REQUEST * 4, ANSWER])
    assert case.open_one("a").left == 1


def test_a_connection_that_has_gone_keeps_no_request_and_counts_an_answer(case):
    pending = Pending("s", REQUEST, [], Route.PARTNER, 303, REQUEST, ("a",), 0.0, 1.0)
    case.pending.sent(pending, "a", 7)
    case.wire.closed.add("a")
    case.outlets.add(case.outlets.of("a"), REQUEST)
    case.outlets.add(case.outlets.of("a"), ANSWER)
    case.outlets.flush()
    assert case.gone_on == [pending]
    assert case.counters.answers_undeliverable == 1


def test_peers_that_are_forgotten_are_others_afterwards(case):
    before = case.outlets.of("a")
    case.outlets.clear()
    assert case.outlets.of("a") is not before


def test_who_only_gets_answers_is_nobody_whose_answers_are_waited_for(case):
    case.outlets.add(case.outlets.of("cscf"), ANSWER)
    case.outlets.flush()
    assert case.pending.rooms() == {}


def test_a_fault_while_sending_leaves_the_other_peers_as_they_were(case):
    def fail(peer, octets, count):
        raise RuntimeError("a fault")

    given, case.wire.send_all = case.wire.send_all, fail
    for peer in ("a", "b"):
        case.outlets.add(case.outlets.of(peer), ANSWER)
    with pytest.raises(RuntimeError):
        case.outlets.flush()
    case.wire.send_all = given
    case.outlets.add(case.outlets.of("b"), REQUEST)
    case.outlets.flush()
    assert case.wire.sent == [("b", REQUEST)]


def test_room_for_a_large_write_is_given_back(case):
    outlet = case.outlets.of("a")
    case.outlets.add(outlet, ANSWER)
    case.outlets.flush()
    kept = outlet.out
    case.outlets.add(outlet, ANSWER * 20_000)
    case.outlets.flush()
    assert outlet.out is not kept
    assert len(outlet.out) == 0
    assert [len(octets) for _, octets in case.wire.sent] == [20, 400_000]
