"""Answers with a code, and wires on which nothing may pass."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.wires import diameter_answer, nothing_on
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories


def test_an_answer_whose_request_was_not_seen_is_not_in_time(make: SimpleNamespace) -> None:
    answer = make.diameter(5, "proxy2", "scscf", make.avp(268, "2001"), request=False)
    evidence = read_stories(Capture(diameter=(answer,)), make.facts())
    assert diameter_answer(evidence, leg="aaa-2", command="MAR", code=2001).verdict is Verdict.PASS
    assert diameter_answer(evidence, leg="aaa-2", command="MAR", code=2001, within_s=9.0).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("leg", "verdict"), [("csc-y", Verdict.FAIL), ("gm", Verdict.FAIL), ("hss", Verdict.PASS), ("csc-x", Verdict.PASS)]
)
def test_a_wire_with_a_request_is_not_empty(asked: Evidence, leg: str, verdict: Verdict) -> None:
    assert nothing_on(asked, leg=leg).verdict is verdict


@pytest.mark.parametrize(
    ("path", "verdict"),
    [("/csc-x/v1/agreements", Verdict.PASS), ("/csc-x/v1/primary-mc-system-sip-identities", Verdict.FAIL)],
)
def test_what_a_server_asks_when_it_starts_is_no_step(make: SimpleNamespace, path: str, verdict: Verdict) -> None:
    asked = (make.http(7, "cms1", "mms1", path), make.http(8, "mms1", "cms1", 200))
    assert nothing_on(read_stories(Capture(http=asked), make.facts()), leg="csc-x").verdict is verdict


def test_a_wire_that_is_none_is_a_mistake(asked: Evidence) -> None:
    with pytest.raises(KeyError, match="no wire csc-z"):
        nothing_on(asked, leg="csc-z")
