"""Checks are run by name with their parameters; every one says what it is for."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.expectations import REGISTRY, describe, run_check
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.story import read_stories
from lab.scenarios.library import SCENARIOS
from lab.scenarios.model import check

# fmt: off
PARAMETERS = {
    "sip-status":             {"ue": "ue1", "system": "mc2", "method": "REGISTER", "status": 200},
    "sip-got":                {"ue": "ue1", "system": "mc2", "method": "REGISTER", "status": 200},
    "sip-never":              {"ue": "ue1", "system": "mc2", "method": "REGISTER", "status": 403},
    "registrations":          {"ue": "ue1", "system": "mc2", "count": 1},
    "deregistered":           {"ue": "ue1", "system": "mc2"},
    "resynchronised":         {"ue": "ue1", "system": "mc2"},
    "challenge-unanswered":   {"ue": "ue1", "system": "mc2"},
    "message-delivered":      {"ue": "ue1", "system": "mc2"},
    "time-between":           {"ue": "ue1", "first": "10.6.2-2", "last": "10.6.2-13", "at_most_s": 9.0},
    "called":                 {"caller": "ue1", "callee": "ue2", "system": "mc2", "packets": 1},
    "call-refused":           {"caller": "ue1", "callee": "ue2", "system": "mc2", "status": 486},
    "at-moment":              {"moment": "hss.mc1 dead", "broken_by": "hss.mc1"},
    "service-authorised":     {"ue": "ue1", "system": "mc2"},
    "service-refused":        {"ue": "ue1", "system": "mc2", "issuer": ""},
    "both-orders":            {},
    "diameter-answer":        {"leg": "aaa-2", "command": "MAR", "code": 2001},
    "http-refused":           {"ue": "ue1", "wire": "csc-4", "status": 403},
    "identity-absent":        {"identity": "a@b", "leg": "csc-y"},
    "home-registration-kept": {"ue": "ue1"},
    "distinct-sets":          {"ues": ("ue1", "ue2")},
    "partner-chosen":         {"ue": "ue1", "system": "mc2"},
    "hss-asked-for":          {"ue": "ue1", "identities": "lent"},
    "through-agents":         {"ue": "ue1", "csc_y": ["edge.mc2.lab"], "hss": []},
    "impus-paired":           {"ue": "ue1", "count": 1},
    "sets-per-partner":       {"ue": "ue1", "systems": ("mc1", "mc2")},
    "configuration-off-line": {"ue": "ue1"},
    "registration-terminated": {"ue": "ue1", "system": "mc2"},
    "withdrawal-told":        {"ue": "ue1", "system": "mc2"},
    "refused-before-told":    {"ue": "ue1", "system": "mc2"},
    "cancelled-by-hss":       {"ue": "ue1", "identities": "lent"},
    "message-refused":        {"ue": "ue1", "system": "mc2", "status": 480},
    "registration-event":     {"ue": "ue1", "system": "mc2", "state": "terminated"},
    "hold-lapsed":            {"system": "mc1", "role": "primary"},
    "token-refused":          {"ue": "ue1", "system": "mc2", "error": "invalid_grant"},
    "assertion-serves-once":  {"ue": "ue1", "system": "mc2"},
    "instance-lost":          {"ue": "ue1", "system": "mc1"},
    "two-signing-keys":       {"system": "mc1"},
}
# fmt: on


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_check_never_passes_on_a_capture_that_shows_nothing(name: str, make: SimpleNamespace) -> None:
    other = {**make.facts().model_dump()["ues"][0], "name": "ue2", "addresses": ["10.77.1.22"]}
    facts = make.facts(ues=[make.facts().model_dump()["ues"][0], other])
    finding = run_check(check(name, **PARAMETERS[name]), read_stories(Capture(), facts))
    assert finding.verdict is Verdict.FAIL
    assert finding.detail


def test_only_an_absence_holds_where_nothing_is() -> None:
    """``tls-was-readable`` and ``identities-stay-where-they-may-be-seen`` are then unknown."""
    assert set(REGISTRY) - set(PARAMETERS) == {"nothing-on"}


def test_every_check_that_a_scenario_names_is_there() -> None:
    assert {one.name for scenario in SCENARIOS.values() for one in scenario.checks} <= set(REGISTRY)


def test_a_check_is_described_with_its_parameters() -> None:
    assert describe(check("sip-got", ue="ue1", status=200)) == "sip-got(ue=ue1, status=200)"
    assert describe(check("both-orders")) == "both-orders"
