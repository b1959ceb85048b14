"""Rows of the tables: each hop of the chain has its moment, its verdict and its recovery."""

import pytest

from lab.scenarios.dead_hops import AFTER, BEFORE, DURING, Hop, Phase, checks, steps
from lab.scenarios.model import BeginFault, EndFault, Mark, flat

CHAIN = ("pcscf.mc2", "icscf.mc2", "scscf.mc2", "proxy1.mc2", "proxy2.mc2", "mms.mc2", "hss.mc2",
         "link", "proxy1.mc1", "proxy2.mc1", "mms.mc1", "hss.mc1")  # fmt: skip


@pytest.mark.parametrize(("phase", "hops"), [("before", BEFORE), ("during", DURING), ("after", AFTER)])
def test_every_fault_that_begins_ends_and_every_moment_is_judged(phase: Phase, hops: tuple[Hop, ...]) -> None:
    done = list(flat(tuple(steps(phase, hops))))
    begun = [step.fault for step in done if isinstance(step, BeginFault)]
    ended = [step.fault for step in done if isinstance(step, EndFault)]
    assert sorted(map(str, begun)) == sorted(map(str, ended))
    marks = [step.name for step in done if isinstance(step, Mark)]
    assert marks == [one.parameters["moment"] for one in checks(hops)]
    assert len(set(marks)) == len(marks)


def test_the_table_before_a_registration_has_the_whole_chain() -> None:
    assert {hop.name for hop in BEFORE} >= set(CHAIN)


def test_every_row_states_a_code_and_a_time_or_who_ends_the_connection() -> None:
    for one in checks((*BEFORE, *DURING)):
        sip = one.parameters.get("sip")
        assert one.parameters.get("broken_by") or (sip["status"] and sip["within_s"])
