"""An identity may be seen on its wires and inside its systems, and nowhere else."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.secrecy import Allowed, between_systems_is_tls, tls_was_readable
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.sightings import Seen
from lab.evidence.story import read_stories

CROSSING = Allowed(frozenset({"csc-y"}), frozenset({"mc1"}), frozenset({"hss"}))


@pytest.mark.parametrize(
    ("leg", "systems", "held"),
    [
        ("csc-y", {"mc1", "mc2"}, True),
        ("hss", {"mc1"}, True),
        ("hss", {"mc2"}, False),
        ("gm", {"mc1"}, False),
        ("gm", set(), False),
    ],
)
def test_where_an_identity_may_be(make: SimpleNamespace, leg: str, systems: set[str], held: bool) -> None:
    assert CROSSING.holds(Seen(make.frame(1, "ue", "pcscf"), leg, frozenset(systems), "")) is held


def test_a_connection_between_systems_begins_with_tls(make: SimpleNamespace) -> None:
    good = make.payload(1, "proxy2", "proxy1", b"\x16\x03\x01\x00")
    after = make.payload(2, "proxy2", "proxy1", b"the rest of a record")
    plain = make.payload(3, "proxy1", "proxy2", b"\x01\x00\x00\x14", stream=10)
    inside = make.payload(4, "scscf", "proxy2", b"\x01\x00\x00\x14", stream=11)
    facts = make.facts()
    assert between_systems_is_tls(read_stories(Capture(payloads=(good, after, inside)), facts)).verdict is Verdict.PASS
    finding = between_systems_is_tls(read_stories(Capture(payloads=(good, plain)), facts))
    assert (finding.verdict, finding.frames) == (Verdict.FAIL, (3,))


def test_a_connection_that_both_ends_spoke_on_and_nobody_can_read_is_unknown(make: SimpleNamespace) -> None:
    data = b"\x17\x03\x03\x00\x01x"
    there = make.payload(1, "proxy2", "proxy1", data)
    back = there._replace(
        frame=there.frame._replace(
            number=2, source=there.frame.destination, destination=there.frame.source,
            source_port=there.frame.destination_port, destination_port=there.frame.source_port,
        )
    )  # fmt: skip
    facts = make.facts()
    assert tls_was_readable(read_stories(Capture(payloads=(there, back)), facts)).verdict is Verdict.UNKNOWN
    assert tls_was_readable(read_stories(Capture(payloads=(there,)), facts)).verdict is Verdict.PASS
    read = (make.diameter(1, "proxy2", "proxy1", stream=9, is_tls=True),)
    assert tls_was_readable(read_stories(Capture(diameter=read, payloads=(there, back)), facts)).verdict is Verdict.PASS
