"""Rows about links, a HSS and a clock: each fault is mended, each moment states a code and a time."""

from lab.scenarios.bad_conditions import BAD, BAD_CONDITIONS, SILENT, SLOW
from lab.scenarios.model import flat
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Register

(SCENARIO,) = BAD_CONDITIONS
STEPS = tuple(flat(SCENARIO.steps))


def test_every_fault_that_begins_ends_and_all_kinds_are_there() -> None:
    begun = [step.fault for step in STEPS if isinstance(step, BeginFault)]
    assert begun == [step.fault for step in STEPS if isinstance(step, EndFault)]
    assert [fault.kind for fault in begun] == ["delay", "loss", "hss-slow", "hss-silent", "clock-skew"]


def test_every_moment_is_judged_by_a_code_and_a_time() -> None:
    judged = [one.parameters for one in SCENARIO.checks if one.name == "at-moment"]
    marks = [step.name for step in STEPS if isinstance(step, Mark)]
    assert [one["moment"] for one in judged] == marks
    for one in judged:
        part = one.get("sip") or one["http"]
        assert part["status"]
        assert part["within_s"]


def test_a_silent_hss_is_told_apart_from_a_slow_one() -> None:
    """The one is 3002 and 504 at the first try, the other 200, the UE coming again where it is told to."""
    rows = {row.faults[0]: row for row in BAD}
    assert rows[SLOW].trial == rows[SLOW].again
    assert rows[SILENT].trial == Register("ue1", "mc2", status=504)
    assert rows[SILENT].checks()[0].parameters["diameter"]["code"] == 3002
