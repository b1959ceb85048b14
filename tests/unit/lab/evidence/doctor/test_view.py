"""Who is who: by facts, else by behaviour; which ports are Diameter; which identities are lent."""

from types import SimpleNamespace


def test_roles_come_from_what_an_address_does(case: SimpleNamespace) -> None:
    uar = case.hop(12, 2001, 300, source="icscf", destination="proxy2", end_to_end=7)
    onward = case.hop(14, 2001, 300, source="proxy2", destination="hss", end_to_end=7)
    mar = case.hop(16, 5001, source="scscf", destination="proxy1")
    view = case.see(case.register(10), uar, onward, mar, case.response(20, 403))
    names = [view.name(f"10.77.2.{octet}") for octet in (21, 10, 11, 14, 12)]
    assert [name.rpartition(" ")[0] for name in names] == ["UE", "P-CSCF", "I-CSCF", "Diameter agent", "S-CSCF"]
    assert view.name("10.77.1.13") == "HSS 10.77.1.13"
    assert view.name("10.77.1.14") == "Cx server 10.77.1.14"
    assert view.name("192.0.2.1") == "192.0.2.1"


def test_facts_go_before_behaviour(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), facts=case.facts())
    assert [view.name(a) for a in ("10.77.2.10", "10.77.2.21", "192.0.2.1")] == ["pcscf.mc2", "ue1", "192.0.2.1"]


def test_a_lent_identity_is_known_by_its_prefix(case: SimpleNamespace) -> None:
    assert [case.see().is_lent(i) for i in ("mig-1@x", "sip:mig-1@x", "1@x")] == [True, True, False]
    systems = [{"name": "mc1", "home_domain": "x", "lent_prefix": "visitor-"}]
    view = case.see(facts=case.facts(systems=systems))
    assert [view.is_lent(identity) for identity in ("mig-1@x", "visitor-1@x")] == [False, True]


def test_ports_are_those_of_capabilities_exchanges_too(case: SimpleNamespace, make: SimpleNamespace) -> None:
    cer = make.diameter(1, "scscf", "hss", command=257)
    cea = make.diameter(2, "hss", "scscf", command=257, request=False)
    view = case.see([cer, cea])
    assert {3868, 5868} <= view.diameter_ports
    assert len(view.exchanges_of_capabilities("10.77.2.12")) == 2
    assert view.exchanges_of_capabilities("10.77.2.11") == []
    assert view.diameter_streams == {1}
