"""A duplicate is equal in all six fields; memory is bounded."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.hot_path import Duplicates, Pending, PendingRequests, is_same, locate
from diameter_proxy.routing import Route


def pending_of(message, end_to_end=None):
    if end_to_end is not None:
        message = message[:16] + end_to_end.to_bytes(4, "big") + message[20:]
    return Pending("a", message, locate(message), Route.PARTNER, 303, b"", (), 0, 1)


def same(message, other):
    return is_same(message, locate(message), pending_of(other))


def test_the_same_request_is_the_same_whatever_its_hop_by_hop(made):
    message = made.mar()
    again = message[:4] + b"\xd0" + message[5:12] + b"\0\0\0\1" + message[16:]
    assert same(message, again)


@pytest.mark.parametrize("what", ["scscf.mc2.lab;1;2", "mig-p@", "sip:mig-p@", "AKAv1", "end"])
def test_another_field_is_another_request(made, what):
    message = made.mar()
    if what == "end":
        assert not same(made.mar(end_to_end=10), message)
        return
    octets = what.encode()
    assert not same(message.replace(octets, octets[:-1] + b"X", 1), message)


def test_another_origin_host_is_another_request(made):
    message = made.mar()
    other = message.replace(d.ORIGIN_HOST.encode("scscf.mc2.lab"), d.ORIGIN_HOST.encode("scscg.mc2.lab"))
    assert not same(other, message)


def answered(memory, message, now_s=0.0, answer=b"answer"):
    pending = pending_of(message)
    memory.begin(pending)
    memory.settle(pending, answer, now_s)
    pending.is_done = True
    return pending


def test_memory_is_short_and_small(made):
    memory = Duplicates(PendingRequests(100), entries_max=2, keep_s=10)
    messages = [made.mar(end_to_end=number) for number in range(3)]
    for message in messages:
        answered(memory, message)
    first, *_, last = messages
    assert memory.find(first, locate(first), 1.0) is None
    assert memory.find(last, locate(last), 9.9).remembered == b"answer"
    assert memory.find(last, locate(last), 10.0) is None
    memory.forget_old(10.0)
    assert len(memory) == 0
    assert last[16:20] not in memory.known


def test_a_pending_one_is_found_until_it_is_settled_and_a_failure_is_not_remembered(made):
    memory, message = Duplicates(PendingRequests(100)), made.mar()
    pending = pending_of(message)
    memory.begin(pending)
    assert memory.find(message, locate(message), 0.0) is pending
    memory.settle(pending, None, 0.0)
    assert memory.find(message, locate(message), 0.0) is None
    assert message[16:20] not in memory.known


def test_two_with_the_same_end_to_end_are_kept_apart(made):
    memory = Duplicates(PendingRequests(100))
    one, other = made.mar(), made.mar(("mig-q@ims.mc2.lab", "sip:mig-q@ims.mc2.lab"))
    first, second = answered(memory, one, answer=b"1"), answered(memory, other, answer=b"2")
    assert memory.find(one, locate(one), 1.0) is first
    assert memory.find(other, locate(other), 1.0) is second
    memory.settle(first, None, 1.0)
    assert memory.find(other, locate(other), 1.0) is second
