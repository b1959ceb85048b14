"""Rows about servers, disks and the link: each fault is mended, each moment states a code and a time."""

from lab.scenarios.dead_servers import ABROAD, AT_HOME, DEAD_SERVERS
from lab.scenarios.model import flat
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Register

ROWS = (*AT_HOME, *ABROAD)


def test_every_fault_that_begins_ends() -> None:
    for scenario in DEAD_SERVERS:
        done = list(flat(scenario.steps))
        begun = [step.fault for step in done if isinstance(step, BeginFault)]
        ended = [step.fault for step in done if isinstance(step, EndFault)]
        assert sorted(map(str, begun)) == sorted(map(str, ended))


def test_every_row_is_judged_by_a_code_and_a_time_or_by_who_ends_the_connection() -> None:
    for row in ROWS:
        wanted = row.checks()[0].parameters
        assert wanted.get("broken_within_s") or all(
            one["within_s"] and (one.get("status") or one.get("code"))
            for one in (wanted.get("sip"), wanted.get("http"), wanted.get("diameter"))
            if one
        )
        assert set(wanted) & {"broken_by", "sip", "http", "diameter"}


def test_every_moment_that_is_judged_is_named_once() -> None:
    for scenario in DEAD_SERVERS:
        marks = [step.name for step in flat(scenario.steps) if isinstance(step, Mark)]
        judged = [one.parameters["moment"] for one in scenario.checks if one.name == "at-moment"]
        assert len(set(marks)) == len(marks)
        assert judged == marks


def test_what_is_mended_is_judged_by_the_wire_of_the_request_that_must_succeed() -> None:
    """A step that the runner saw succeed is no proof: the capture must show the 200."""
    wires = {}
    for row in ROWS:
        wanted = row.checks()[1].parameters
        part = wanted.get("sip") or wanted["http"]
        assert (wanted["moment"], part["status"]) == (f"{row.name}: mended", 200)
        wires[type(row.again)] = part.get("wire", "sip")
    assert wires == {GetConnectionDetails: "csc-4", Authenticate: "csc-1", Register: "sip"}


def test_every_server_of_both_systems_that_a_ue_needs_before_it_registers_is_dead_once() -> None:
    targets = {fault.target for row in (*AT_HOME, *ABROAD) for fault in row.faults}
    assert targets >= {f"{role}.{system}" for role in ("cms", "idms", "mms") for system in ("mc1", "mc2")}
