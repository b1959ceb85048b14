"""The scenarios as data: the topology carries each, and the steps and checks that it names exist."""

import inspect

import pytest

from lab.evidence.checks.expectations import REGISTRY
from lab.evidence.steps import STEP_IDS
from lab.scenarios import model, system_steps, ue_steps
from lab.scenarios.library import SCENARIOS, UnknownScenario, scenario_named
from lab.topology import load_topology

WANTED = [
    "native",
    "migration",
    "migration-by-location",
    "pool-set",
    "sip-database-set",
    "random-set",
    "hss-default-identities",
    "several-impus",
    "two-ues",
    "both-ways",
    "refresh",
    "deregistration",
    "resync",
    "home-registered",
    "return-home",
    "wrong-key",
    "wrong-res",
    "unbound-identity",
    "mixed-identities",
    "home-identity-at-partner",
    "foreign-isim",
    "not-authorised",
    "partner-refuses",
    "sip-digest-refused",
    "primary-hss-down",
    "primary-hss-silent",
    "withdrawal",
    "withdrawal-partner-down",
    "hss-cancels",
    "expiry",
    "pool-exhausted",
    "agreement-expired",
    "static-configuration",
    "pre-provisioned",
    "two-partners",
    "primary-mms-down",
    "partner-mms-down",
    "two-mms-one-killed",
    "cms-killed-after-step-6",
    "stale-map",
    "idms-key-rotation",
    "token-exchange-refused",
    "token-replayed",
    "services",
    "service-authorisation",
    "service-authorisation-refused",
    "service-authorisation-audience",
]


def test_every_wanted_scenario_is_there() -> None:
    assert set(WANTED) <= set(SCENARIOS)


def test_the_thirty_steps_of_the_model_are_those_that_are_judged() -> None:
    assert set(STEP_IDS) == {*model.HOME, *model.CONNECTIVITY, *model.MIGRATION}
    assert len(STEP_IDS) == 30


def test_all_thirty_steps_are_proved_by_one_scenario() -> None:
    assert set(SCENARIOS["migration"].proves) == set(STEP_IDS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_that_the_topology_can_carry(name: str) -> None:
    scenario = SCENARIOS[name]
    topology = load_topology(settings=scenario.settings).restricted_to(scenario.systems, scenario.ues)
    assert tuple(topology.ues) == tuple(ue for ue in ("ue1", "ue2", "ue3") if ue in scenario.ues)
    hosts = {host.key for host in topology.hosts()}
    for step in model.flat(scenario.steps):
        values = model.describe(step)
        named = [values[key] for key in ("ue", "sender", "receiver", "host") if key in values]
        assert set(named) <= hosts
        assert values.get("system", scenario.systems[0]) in scenario.systems


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_proves_something_and_never_the_same_absent(name: str) -> None:
    scenario = SCENARIOS[name]
    assert set(scenario.proves) | set(scenario.absent) <= set(STEP_IDS)
    assert not set(scenario.proves) & set(scenario.absent)
    assert scenario.proves or scenario.checks


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_asks_for_checks_that_exist_with_their_parameters(name: str) -> None:
    for check in SCENARIOS[name].checks:
        inspect.signature(REGISTRY[check.name]).bind(None, **dict(check.parameters))


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(UnknownScenario, match="no scenario migraton; did you mean migration"):
        scenario_named("migraton")
    with pytest.raises(UnknownScenario, match="mclab scenarios lists them"):
        scenario_named("qqqq")


def test_a_step_is_described_by_its_name_and_members() -> None:
    assert model.describe(ue_steps.Move("ue1", "mc2")) == {"step": "Move", "ue": "ue1", "system": "mc2"}


def test_what_happens_during_a_step_stands_right_after_it() -> None:
    asked, killed = ue_steps.GetConnectionDetails("ue1", "mc2", status=0), system_steps.Kill("cms.mc1")
    during = model.During(asked, (model.Wait(1.0), killed))
    assert list(model.flat((during, killed))) == [asked, model.Wait(1.0), killed, killed]
    described = model.describe(during)
    assert described["during"]["step"] == "GetConnectionDetails"
    assert [one["step"] for one in described["meanwhile"]] == ["Wait", "Kill"]
