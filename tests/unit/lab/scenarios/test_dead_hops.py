"""Rows of the table: each hop of the chain has its moment, its verdict and its recovery."""

from lab.scenarios.dead_hops import DEAD_HOPS, HOPS, checks, steps
from lab.scenarios.model import BeginFault, EndFault, Mark, flat


def test_every_fault_that_begins_ends_and_every_moment_is_judged() -> None:
    done = list(flat(tuple(steps(HOPS))))
    begun = [step.fault for step in done if isinstance(step, BeginFault)]
    ended = [step.fault for step in done if isinstance(step, EndFault)]
    assert sorted(map(str, begun)) == sorted(map(str, ended))
    marks = [step.name for step in done if isinstance(step, Mark)]
    assert marks == [one.parameters["moment"] for one in checks(HOPS)]
    assert len(set(marks)) == len(marks)


def test_every_row_states_a_code_and_a_time_or_who_ends_the_connection() -> None:
    for one in checks(HOPS):
        sip = one.parameters.get("sip")
        assert one.parameters.get("broken_by") or (sip["status"] and sip["within_s"])


def test_a_proxy_that_dies_with_the_mar_is_tried_whenever_ci_runs() -> None:
    assert [one.name for one in DEAD_HOPS if not one.is_long] == ["proxy-killed-in-registration"]
