"""A fault as a JSON object: taken whole or refused in one line."""

from typing import Any

import pytest

from lab.faults.fault import KINDS, Fault, FaultError, parse_fault

SYSTEMS = ["mc1", "mc2"]
HOSTS = ["hss.mc1", "proxy1.mc2", "ue1"]


def test_a_fault_is_said_in_words() -> None:
    assert str(Fault("kill", "hss.mc1")) == "kill hss.mc1"
    assert str(Fault("delay", "mc2", delay_ms=200, jitter_ms=50)) == "delay mc2 delay_ms=200 jitter_ms=50"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"kind": "kill", "target": "hss.mc1"}, Fault("kill", "hss.mc1")),
        ({"kind": "cut", "target": "mc2"}, Fault("cut", "mc2")),
        ({"kind": "cut", "target": "ue1"}, Fault("cut", "ue1")),
        ({"kind": "loss", "target": "mc2", "percent": 30}, Fault("loss", "mc2", percent=30)),
        ({"kind": "clock-skew", "target": "hss.mc1", "skew_s": -7200}, Fault("clock-skew", "hss.mc1", skew_s=-7200)),
        ({"kind": "hss-slow", "target": "hss.mc1", "delay_ms": 300}, Fault("hss-slow", "hss.mc1", delay_ms=300)),
    ],
)
def test_a_fault_is_read(values: dict[str, Any], fault: Fault) -> None:
    assert parse_fault(values, SYSTEMS, HOSTS) == fault


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "dance", "target": "hss.mc1"}, "no fault dance; there are cut, loss"),
        ({"target": "hss.mc1"}, "no fault None"),
        ({"kind": "kill", "target": "hss.mc9"}, "no host hss.mc9 in this lab; there are hss.mc1, proxy1.mc2, ue1"),
        ({"kind": "kill", "target": "mc1"}, "no host mc1 in this lab"),
        ({"kind": "cut", "target": "mc9"}, "no link or host mc9 in this lab; there are hss.mc1, .*mc1, mc2"),
        ({"kind": "hss-silent", "target": "proxy1.mc2"}, "no HSS proxy1.mc2 in this lab; there are hss.mc1"),
        ({"kind": "loss", "target": "mc2"}, "loss needs percent"),
        ({"kind": "loss", "target": "mc2", "percent": 101}, "percent: 101 is not from 1 to 100"),
        ({"kind": "loss", "target": "mc2", "percent": "30"}, "percent: '30' is no whole number"),
        ({"kind": "kill", "target": "hss.mc1", "percent": 1}, "kill has no percent"),
        ({"kind": "delay", "target": "mc2", "delay_ms": 5, "jitter_ms": 6}, "jitter_ms 6 is more than delay_ms 5"),
        ({"kind": "kill", "target": "hss.mc1", "how": "hard"}, "a fault has no how; there are kind, target, percent"),
    ],
)
def test_what_is_no_fault_of_this_lab_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        parse_fault(values, SYSTEMS, HOSTS)


def test_every_kind_says_what_it_does() -> None:
    assert all(kind.what and kind.where for kind in KINDS.values())
