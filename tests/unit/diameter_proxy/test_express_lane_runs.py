"""Many messages of equal length, side by side in one read: taken together where one form fits them all, else apart."""

import pytest

from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer
from tests.unit.diameter_proxy.test_express_lane import P, PrimaryWay, S, Way, lent_set, partner, primary


@pytest.fixture
def way(made, new_wire):
    way = Way(made, new_wire())
    way.exchange(0, 1)
    return way


def mars(way, numbers, first_end_to_end=100, **changes):
    return [way.made.mar(partner(n), end_to_end=first_end_to_end + at, **changes) for at, n in enumerate(numbers)]


def asked(way, messages):
    """Return the requests that left for a read, each by itself."""
    ((peer, octets),) = way.receive(S, *messages)
    assert peer == P
    return FrameBuffer().receive_data(octets)


def test_all_of_a_run_are_taken_in_order(way):
    sent = asked(way, mars(way, [0, 1, 2, 3]))
    assert [Message.decode(out).header.end_to_end for out in sent] == [100, 101, 102, 103]
    assert way.taken == 4
    back = way.receive(P, *(way.made.maa(Message.decode(out), primary(n)) for n, out in enumerate(sent)))
    assert [Message.decode(one).result() for _, octets in back for one in FrameBuffer().receive_data(octets)] == [
        (0, 2001)
    ] * 4
    assert way.proxy.pending_count == 0


def test_what_is_unusual_in_a_run_is_left_and_the_others_go(way):
    messages = mars(way, [0, 1, 2, 3])
    stranger = way.made.mar(tuple(text.replace("mig-p1", "mig-p9") for text in partner(1)), end_to_end=101)
    messages[1] = stranger
    assert len({len(message) for message in messages}) == 1
    assert way.proxy.receive(S, [b"".join(messages)]) == [stranger]
    assert way.taken == 3


def test_one_that_does_not_fit_costs_the_others_of_a_run_nothing(way):
    messages = mars(way, [0, 1, 2, 3])
    messages[2] = way.made.mar(partner(2), end_to_end=102, number=2)
    assert way.proxy.receive(S, [b"".join(messages)]) == [messages[2]]
    assert way.taken == 3


def test_two_forms_in_one_run_are_both_taken(way):
    way.receive(S, way.made.mar(partner(1), end_to_end=50, number=2))
    messages = [*mars(way, [0, 1]), *mars(way, [2, 3], 200, number=2)]
    assert way.proxy.receive(S, [b"".join(messages)]) == []
    assert way.taken == 4


def test_requests_and_answers_in_one_run_are_each_what_they_are(way):
    (out,) = asked(way, mars(way, [1]))
    maa = way.made.maa(Message.decode(out), primary(1))
    session = "s" * (len("scscf.mc2.lab;1;2") + len(maa) - len(way.made.mar(partner(2), end_to_end=7)))
    mar = way.made.mar(partner(2), end_to_end=7, session=session)
    assert len(mar) == len(maa), "so that they may lie side by side"
    assert way.proxy.receive(P, [mar + maa]) == [mar], "that peer has asked nothing before"
    assert way.proxy.pending_count == 0


def test_the_same_request_twice_in_a_run_is_asked_once(way):
    (message,) = mars(way, [1])
    assert way.proxy.receive(S, [message * 3]) == [message, message]
    assert way.taken == 1


@pytest.mark.parametrize(
    ("kind", "asking", "identities"), [(Way, S, partner), (PrimaryWay, P, lent_set)], ids=["partner", "primary"]
)
def test_what_waits_can_be_told_as_it_came_and_as_it_went(made, new_wire, kind, asking, identities):
    """A record keeps values only; an alternate, a duplicate and the administrator get the octets."""
    way = kind(made, new_wire())
    numbers = (0, 2, 4)
    way.receive(asking, made.mar(identities(0), end_to_end=1))
    messages = [made.mar(identities(n), end_to_end=100 + n) for n in numbers]
    ((to, octets),) = way.receive(asking, *messages)
    assert way.taken == len(numbers)
    pending = way.proxy.forwarder.pending.of_peer(to)[1:]
    assert [one.asked for one in pending] == messages
    assert [one.sent for one in pending] == FrameBuffer().receive_data(octets)
