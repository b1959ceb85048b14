"""Rows of the table: each hop of the chain dies, is dead and is mended, each a moment with a verdict for each UE."""

from lab.scenarios.dead_hops import DEAD_HOPS, HOPS, checks, steps
from lab.scenarios.model import During, flat
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Deregister, Register

CHAIN = {
    f"{role}.{system}"
    for system, roles in (("mc2", ("pcscf", "icscf", "scscf", "mms", "hss")), ("mc1", ("mms", "hss")))
    for role in roles
}


def test_every_fault_that_begins_ends_and_every_moment_is_judged() -> None:
    done = list(flat(tuple(steps(HOPS))))
    begun = [step.fault for step in done if isinstance(step, BeginFault)]
    ended = [step.fault for step in done if isinstance(step, EndFault)]
    assert sorted(map(str, begun)) == sorted(map(str, ended))
    marks = [step.name for step in done if isinstance(step, Mark)]
    assert marks == list(dict.fromkeys(one.parameters["moment"] for one in checks(HOPS)))
    assert len(set(marks)) == len(marks)


def test_the_table_has_the_whole_chain_the_link_and_proxies_one_and_both() -> None:
    targets = {fault.target for hop in HOPS for fault in hop.faults}
    assert targets >= CHAIN
    assert {hop.name for hop in HOPS} >= {
        "link",
        "proxy1.mc1",
        "proxy1.mc2",
        "both proxies of mc1",
        "both proxies of mc2",
    }


def test_each_row_is_judged_before_during_and_after_a_registration() -> None:
    """While the hop dies ue1's registration is under way; while it is dead ue1 registers, and ue2 refreshes."""
    judged = [(one.parameters["moment"], one.parameters["ue"]) for one in checks(HOPS)]
    for hop in HOPS:
        assert {(f"{hop.name} dies", "ue1"), (f"{hop.name} dead", "ue1"), (f"{hop.name} dead", "ue2")} <= set(judged)
        assert {(f"{hop.name} mended", ue) for ue in ("ue1", "ue2")} <= set(judged)
    assert len(judged) == len(set(judged)) == 6 * len(HOPS)


def test_a_ue_that_registers_as_a_hop_dies_and_while_it_is_dead_is_not_registered() -> None:
    """A row begins with ue1 registered; only a 200 makes it so again."""
    for hop in HOPS:
        done = list(flat(tuple(steps((hop,)))))
        while_wrong = done[: done.index(Mark(f"{hop.name} mended"))]
        of_ue1 = [step for step in while_wrong if isinstance(step, Register | Deregister) and step.ue == "ue1"]
        kinds = [type(step) for step in of_ue1]
        again = [Deregister] if hop.status == 200 else []
        assert kinds == [Deregister, Register, *again, Register]


def test_faults_of_a_row_begin_at_one_moment() -> None:
    """With one proxy dead and the other alive for a while, the MAR would come through."""
    both = next(hop for hop in HOPS if len(hop.faults) > 1)
    one, other = flat((both.begin(),))
    assert isinstance(both.begin(), During)
    assert (one, other) == tuple(BeginFault(fault) for fault in both.faults)


def test_the_hss_that_holds_the_mar_is_the_last_to_be_started_again() -> None:
    assert [hop.name for hop in HOPS].index("hss.mc1") == len(HOPS) - 1


def test_a_proxy_that_dies_with_the_mar_is_tried_whenever_ci_runs() -> None:
    assert [one.name for one in DEAD_HOPS if not one.is_long] == ["proxy-killed-in-registration"]


def test_every_row_states_a_code_and_a_time_or_who_ends_the_connection() -> None:
    for one in checks(HOPS):
        sip = one.parameters.get("sip")
        assert one.parameters.get("broken_within_s") or (sip["status"] and sip["within_s"])


def test_while_a_hop_is_dead_it_is_said_what_diameter_answers_wherever_sip_does_not_get_200() -> None:
    for one in checks(HOPS):
        if one.parameters["moment"].endswith(" dead") and one.parameters.get("sip", {}).get("status") != 200:
            assert set(one.parameters) & {"diameter", "no_answer"}
