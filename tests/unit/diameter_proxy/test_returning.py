"""Answers on the express lane go back to who asked, as the whole way gives them, or are left to it."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer
from tests.unit.diameter_proxy.test_express_lane import P, S, Way, partner, primary


@pytest.fixture
def way(made, new_wire):
    return Way(made, new_wire())


def test_an_answer_for_somebody_else_is_not_passed_on(way):
    way.exchange(0, 1)
    ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), primary(0)))
    assert Message.decode(back).result() == (0, 5012)


def test_a_binding_withdrawn_meanwhile_gives_no_vector(way):
    way.exchange(0, 1)
    ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    way.proxy.identities.delete("b1", 9)
    ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), primary(1)))
    assert Message.decode(back).result() == (10415, 5001)


def test_an_answer_that_nobody_waits_for_is_left(way):
    way.exchange(0, 1)
    ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    answer = way.made.maa(Message.decode(out), primary(1))
    way.receive(P, answer)
    assert way.receive(P, answer) == []
    assert way.proxy.counters.answers_discarded == 1


def test_answers_of_one_read_go_back_in_their_order_whenever_they_were_asked(way):
    for number in (0, 1, 2, 3):  # each is of a length of its own
        way.exchange(number, 50 + number)
    outs = []
    for number, waits_s in ((1, 0.001), (2, 0.5), (3, 0.0)):
        ((_, out),) = way.receive(S, way.made.mar(partner(number), end_to_end=number + 1))
        outs.append(out)
        way.now_s += waits_s
    numbers = (3, 1, 2)
    answers = [way.made.maa(Message.decode(outs[number - 1]), primary(number)) for number in numbers]
    ((peer, octets),) = way.receive(P, *answers)
    backs = [Message.decode(back) for back in FrameBuffer().receive_data(octets)]
    assert (peer, [back.get(d.USER_NAME) for back in backs]) == (S, [partner(number)[0] for number in numbers])
    counters = way.proxy.counters
    assert (counters.answers_relayed, sum(counters.latency), way.proxy.pending_count) == (7, 7, 0)
    assert counters.latency_sum_s == pytest.approx(0.501 + 0.5)


def test_one_that_is_left_costs_the_others_of_its_read_nothing(way):
    way.exchange(0, 1)
    way.exchange(2, 50)
    requests = [way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2)]
    ((_, octets),) = way.receive(S, *requests)
    one, other = FrameBuffer().receive_data(octets)
    wrong, right = way.made.maa(Message.decode(one), primary(0)), way.made.maa(Message.decode(other), primary(2))
    results = [Message.decode(back).result() for _, back in way.receive(P, wrong, right)]
    assert sorted(results) == [(0, 2001), (0, 5012)]
    assert way.proxy.pending_count == 0
