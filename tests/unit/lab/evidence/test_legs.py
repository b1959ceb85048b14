"""A wire is named by the roles at its two ends, in either direction."""

from types import SimpleNamespace

import pytest

from lab.evidence.legs import LEGS, leg_of, wire_of


@pytest.mark.parametrize(
    ("one", "other", "leg"),
    [
        ("ue", "pcscf", "gm"), ("scscf", "proxy2", "aaa-2"), ("icscf", "proxy2", "aaa-2"),
        ("proxy2", "proxy1", "csc-y"), ("proxy1", "hss", "hss"), ("mms1", "hss", "hss"), ("proxy1", "mms1", "mms"),
        ("ue", "cms1", "csc-4"), ("cms1", "mms1", "csc-x"), ("pcscf", "icscf", "icscf-pcscf"),
    ],
)  # fmt: skip
def test_the_roles_name_the_wire(make: SimpleNamespace, one: str, other: str, leg: str) -> None:
    assert {leg_of(make.frame(1, *ends), make.facts()) for ends in ((one, other), (other, one))} == {leg}


@pytest.mark.parametrize(
    ("one", "other", "leg"),
    [("proxy1", "edge", "csc-y"), ("edge", "edge2", "csc-y"), ("proxy1", "dra", "hss"), ("dra", "hss", "hss")],
)
def test_an_agent_is_on_the_wire_on_which_it_stands(make: SimpleNamespace, one: str, other: str, leg: str) -> None:
    names = {name: f"10.0.0.{number}" for number, name in enumerate(("proxy1", "edge", "edge2", "dra", "hss"), 1)}
    facts = make.facts(hosts={address: f"{name}.mc1.lab" for name, address in names.items()})
    frame = make.frame(1, "ue", "pcscf")._replace(source=names[one], destination=names[other])
    assert leg_of(frame, facts) == leg


def test_https_between_mms_and_proxy_is_the_feed(make: SimpleNamespace) -> None:
    assert wire_of(make.frame(1, "proxy1", "mms1", port=443), make.facts()) == "feed"
    assert wire_of(make.frame(1, "mms1", "proxy1"), make.facts()) == "mms"
    assert {"feed", "csc-17", "gm"} <= LEGS
