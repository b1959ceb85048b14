"""Registrations at the edge, from tshark's lines: counted, timed, sent again."""

from collections.abc import Callable
from types import SimpleNamespace

from lab.evidence.wire_registrations import FIELDS, WireRegistrations, count, read_lines

UE, PCSCF = "10.77.2.21", "10.77.2.10"


def lines(*rows: tuple[float, str, int, str]) -> list[str]:
    """Return lines of (time, Call-ID, CSeq, method or status)."""
    made = []
    for time_s, call, cseq, what in rows:
        ends = (UE, PCSCF) if what == "REGISTER" else (PCSCF, UE)
        method, status = (what, "") if what == "REGISTER" else ("", what)
        made.append("\t".join((str(time_s), *ends, call, str(cseq), method, status)) + "\n")
    return made


def counted(make: SimpleNamespace, *rows: tuple[float, str, int, str]) -> WireRegistrations:
    facts: Callable[[], object] = make.facts
    return count(read_lines(lines(*rows)), facts())["mc2"]  # type: ignore[arg-type]


def test_a_registration_lasts_from_its_first_register_to_its_200(make: SimpleNamespace) -> None:
    seen = counted(
        make,
        (1.0, "a", 1, "REGISTER"),
        (1.1, "b", 1, "REGISTER"),
        (1.2, "a", 1, "100"),
        (1.2, "a", 1, "401"),
        (1.3, "a", 2, "REGISTER"),
        (1.5, "a", 2, "200"),
        (1.6, "b", 1, "403"),
    )
    assert (seen.ok, seen.sent_again, seen.statuses) == (1, 0, {"401": 1, "200": 1, "403": 1})
    assert seen.whole_ms is not None
    assert seen.whole_ms.p99 == 500


def test_the_same_cseq_again_was_sent_again_and_a_second_200_is_no_registration(make: SimpleNamespace) -> None:
    seen = counted(
        make,
        (1.0, "a", 1, "REGISTER"),
        (1.5, "a", 1, "REGISTER"),
        (1.6, "a", 1, "200"),
        (1.7, "a", 1, "200"),
        (2.0, "a", 2, "REGISTER"),
        (2.1, "a", 2, "200"),
    )
    assert (seen.ok, seen.sent_again) == (2, 1)
    assert seen.whole_ms is not None
    assert seen.whole_ms.longest == 600


def test_lines_that_lack_something_are_passed_over() -> None:
    assert list(read_lines(["", "a\tb\n", "\t".join("1" for _ in FIELDS[:-3]) + "\t\t\t\n"])) == []
