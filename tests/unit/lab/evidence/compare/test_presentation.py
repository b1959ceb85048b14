"""A comparison in lines: verdicts, a table of times, fields, and one line at the end."""

from collections.abc import Callable
from types import SimpleNamespace

from lab.evidence.compare.comparison import Side, compare
from lab.evidence.compare.presentation import FIELDS_MAX, lines_of


def test_the_same_runs_end_with_one_word_of_it(side: Callable[..., Side]) -> None:
    lines = list(lines_of(compare(side(run="/a"), side(run="/b"))))
    assert lines[:2] == ["1: /a", "2: /b"]
    assert lines[-1] == "same verdicts"
    assert any(line.startswith("aaa-2 MAR ") and line.endswith("1.00") for line in lines)


def test_differences_are_lines(side: Callable[..., Side], make: SimpleNamespace) -> None:
    realm = make.avp(283, "ims.mc1.lab")._replace(name="Destination-Realm")
    lines = list(lines_of(compare(side(python="3.12"), side("fail", answered=False, more=(realm,)))))
    assert "10.6.2-3: pass / fail  why" in lines
    assert "python: 3.12 / 3.11" in lines
    assert "only in 2: 10.6.2-3 MAR: Destination-Realm = ims.mc1.lab" in lines
    assert any("unanswered 0 / 1" in line for line in lines)
    assert lines[-1] == "different: 2 verdicts"


def test_many_fields_are_counted(side: Callable[..., Side], make: SimpleNamespace) -> None:
    many = tuple(make.avp(900 + n, "x")._replace(name=f"Vendor-{n}") for n in range(FIELDS_MAX + 3))
    assert "... and 3 more fields (--json)" in list(lines_of(compare(side(), side(more=many))))
