"""Identifiers and deadlines of requests (RFC 6733 §3)."""

from diameter_proxy.diameter.transactions import EndToEnd, HopByHop, PendingRequests


def test_hop_by_hop_goes_up_by_one_and_around() -> None:
    identifiers = HopByHop(0xFFFFFFFE)
    assert [identifiers.next() for _ in range(3)] == [0xFFFFFFFF, 0, 1]


def test_reserved_identifiers_are_nobody_elses() -> None:
    identifiers = HopByHop(0xFFFFFFFD)
    assert identifiers.reserve(4) == 0xFFFFFFFE
    assert identifiers.next() == 2


def test_end_to_end_begins_with_twelve_bits_of_time_and_twenty_of_chance() -> None:
    """RFC 6733 §3, End-to-End Identifier."""
    assert EndToEnd(0x12345678, 0xABCDE).next() == 0x678ABCDF


def test_answer_is_matched_once() -> None:
    pending: PendingRequests[str] = PendingRequests()
    pending.add(7, "mar", due=2.0)
    assert len(pending) == 1
    assert pending.take(7) == "mar"
    assert pending.take(7) is None


def test_deadlines_come_in_their_order() -> None:
    pending: PendingRequests[str] = PendingRequests()
    pending.add(1, "late", due=3.0)
    pending.add(2, "early", due=1.0)
    pending.add(3, "answered", due=1.0)
    pending.take(3)
    assert pending.expired(0.5) == []
    assert pending.expired(3.0) == ["early", "late"]
    assert pending.expired(9.0) == []


def test_reused_identifier_keeps_its_own_deadline() -> None:
    pending: PendingRequests[str] = PendingRequests()
    pending.add(1, "first", due=1.0)
    pending.take(1)
    pending.add(1, "second", due=2.0)
    assert pending.expired(1.5) == []
    assert pending.expired(2.0) == ["second"]


def test_lost_connection_gives_back_all() -> None:
    pending: PendingRequests[str] = PendingRequests()
    pending.add(1, "a", due=1.0)
    assert pending.drain() == ["a"]
    assert len(pending) == 0
    assert pending.expired(2.0) == []
