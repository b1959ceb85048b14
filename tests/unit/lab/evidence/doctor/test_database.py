"""Each rule about the SIP database finds its cause and stays silent where the answer is good."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.doctor import database
from lab.evidence.doctor.connections import Connection, Shown
from lab.evidence.doctor.view import View

LENT = 'Digest username="mig-1@ims.mc2.lab", nonce="", response="", algorithm=AKAv1-MD5'


def refused(case: SimpleNamespace, code: int | None, status: int = 403, **more: Any) -> View:
    register = (
        case.register(1, authorization=more.pop("authorization")) if "authorization" in more else case.register(1)
    )
    view: View = case.see(register, case.hop(2, code, **more), case.response(9, status))
    return view


@pytest.mark.parametrize(
    ("rule", "code", "status", "says"),
    [
        (database.realm_not_routed, 3003, 504, "with 3003"),
        (database.outage_as_refusal, 3002, 403, "the reason is an outage: MAA 3002"),
        (database.outage_as_refusal, None, 480, "the reason is an outage: no MAA"),
        (database.database_down, 5012, 504, "answers MAR with 5012"),
        (database.database_silent, None, 504, "never answers the MAR"),
        (database.unknown_user, 5001, 403, "User-Name 1@ims.mc2.lab"),
        (database.identities_dont_match, 5002, 403, "with 5002"),
    ],
)
def test_a_code_has_its_cause(
    case: SimpleNamespace, rule: Callable[[View], Any], code: int | None, status: int, says: str
) -> None:
    (found,) = rule(refused(case, code, status))
    assert says in found.detail
    assert 2 in found.frames
    assert list(rule(refused(case, 2001, status))) == []
    assert list(rule(refused(case, code, 200))) == []


def test_an_outage_told_as_504_is_no_refusal(case: SimpleNamespace) -> None:
    assert list(database.outage_as_refusal(refused(case, 3002, 504))) == []


@pytest.mark.parametrize("code", [5001, 5003, 5004])
def test_a_lent_identity_that_is_refused_has_no_binding_in_force(case: SimpleNamespace, code: int) -> None:
    view = refused(case, code, authorization=LENT, impi="mig-1@ims.mc2.lab")
    assert "for the lent mig-1@ims.mc2.lab" in next(iter(database.binding_not_in_force(view))).detail
    assert list(database.unknown_user(view)) == []
    assert list(database.binding_not_in_force(refused(case, code))) == []


def test_who_answered_first_is_named_not_who_passed_it_on(case: SimpleNamespace) -> None:
    outer = case.hop(2, 5001, after=4, source="scscf", destination="proxy2", end_to_end=5)
    inner = case.hop(3, 5001, source="proxy2", destination="hss", end_to_end=5)
    view = case.see(case.register(1), outer, inner, case.response(9, 403))
    (found,) = database.unknown_user(view)
    assert found.detail.startswith("Cx server 10.77.1.13 answers")
    assert found.frames == (2, 3, 4, 6)


def test_what_refused_the_agent_last_is_named(case: SimpleNamespace) -> None:
    early = Connection(1, "10.77.1.13", "10.0.0.1", 3868, opened=1, refused=1)
    open_now = Connection(2, "10.77.1.13", "10.0.0.1", 3868, opened=2, accepted=2)
    down = Connection(3, "10.77.1.13", "10.0.0.2", 3868, opened=3, refused=4)
    hop = case.hop(2, 3002)
    view = case.see(case.register(1), hop, case.response(9, 504), connections=(early, open_now, down))
    (found,) = database.database_down(view)
    assert found.detail.endswith("not connected: 10.0.0.2 port 3868")


def test_an_agent_that_turns_a_partner_away_has_no_route_to_it(case: SimpleNamespace) -> None:
    away = Connection(
        7, "10.0.0.9", "10.77.1.13", 5868, opened=1, accepted=1, closed=2, closed_by="10.77.1.13",
        is_tls=True, is_finished=True, asked_for="p.lab", shown=[Shown(1, "10.77.1.13", ("p.lab",))],
    )  # fmt: skip
    view = case.see(case.register(1), case.hop(2, 3002), case.response(9, 504), connections=(away,))
    assert "turns 10.0.0.9 away before CER" in next(iter(database.realm_not_routed(view))).detail
    assert list(database.database_down(view)) == []


def test_an_agent_may_say_that_nothing_is_routed(case: SimpleNamespace) -> None:
    hop = case.hop(2, 3002, avps=(case.avp(281, "no route to it"),))
    view = case.see(case.register(1), hop, case.response(9, 504))
    assert "(no route to it)" in next(iter(database.realm_not_routed(view))).detail


def test_an_maa_without_identities(case: SimpleNamespace) -> None:
    good = (case.avp(1, "1@ims.mc2.lab"), case.avp(601, "sip:1@ims.mc2.lab"))
    (found,) = database.identities_missing(refused(case, 2001))
    assert found.detail.endswith("has no User-Name and no Public-Identity")
    assert list(database.identities_missing(refused(case, 2001, avps=good))) == []


def test_a_uaa_without_any_server(case: SimpleNamespace) -> None:
    (bare,) = database.empty_scscf_list(refused(case, 2001, 600, command=300))
    assert "neither Server-Name nor Server-Capabilities; the UE is told 600" in bare.detail
    capable = refused(case, 2001, 600, command=300, avps=(case.avp(603, ""),))
    assert "capabilities that no S-CSCF" in next(iter(database.empty_scscf_list(capable))).detail
    assert list(database.empty_scscf_list(refused(case, 2001, 600, command=300, avps=(case.avp(602, "sip:s"),)))) == []


def test_an_saa_with_an_error(case: SimpleNamespace) -> None:
    (found,) = database.assignment_refused(refused(case, 5005, 500, command=301))
    assert "answers SAR with 5005" in found.detail
    assert list(database.assignment_refused(refused(case, 5012, 500, command=301))) == []
