"""A duplicate is equal in all six fields; memory is bounded."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.duplicates import Duplicates, duplicate_key
from diameter_proxy.hot_path import locate
from diameter_proxy.pending import Pending
from diameter_proxy.routing import Route


def key_of(message):
    return duplicate_key(message, locate(message))


def test_the_same_request_has_the_same_key_whatever_its_hop_by_hop(made):
    message = made.mar()
    again = message[:4] + b"\xd0" + message[5:12] + b"\0\0\0\1" + message[16:]
    assert key_of(message) == key_of(again)


@pytest.mark.parametrize("what", ["scscf.mc2.lab;1;2", "mig-p@", "sip:mig-p@", "AKAv1", "end"])
def test_another_field_is_another_request(made, what):
    message = made.mar()
    if what == "end":
        assert key_of(made.mar(end_to_end=10)) != key_of(message)
        return
    octets = what.encode()
    assert key_of(message.replace(octets, octets[:-1] + b"X", 1)) != key_of(message)


def test_another_origin_host_is_another_request(made):
    message = made.mar()
    other = message.replace(d.ORIGIN_HOST.encode("scscf.mc2.lab"), d.ORIGIN_HOST.encode("scscg.mc2.lab"))
    assert key_of(other) != key_of(message)


def test_memory_is_short_and_small():
    memory = Duplicates(entries_max=2, keep_s=10)
    for number in range(3):
        memory.settle((b"%d" % number,), b"answer", 0.0)
    assert memory.answer((b"0",), 1.0) is None
    assert memory.answer((b"2",), 9.9) == b"answer"
    assert memory.answer((b"2",), 10.0) is None
    memory.forget_old(10.0)
    assert len(memory) == 0


def test_a_pending_one_is_found_until_it_is_settled_and_a_failure_is_not_remembered():
    memory = Duplicates()
    pending = Pending("a", b"", [], Route.PARTNER, 303, b"", (), 0, 1)
    memory.begin((b"k",), pending)
    assert memory.pending((b"k",)) is pending
    memory.settle((b"k",), None, 0.0)
    assert memory.pending((b"k",)) is memory.answer((b"k",), 0.0) is None
