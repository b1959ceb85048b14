"""The peers of a proxy are read from its metrics; what goes over the wire is in tests/integration/lab."""

from lab.attach.trials import _OPEN, TRIALS

METRICS = """# HELP diameter_peer_open 1: requests may be sent.
# TYPE diameter_peer_open gauge
diameter_peer_open{group="cscf",peer="icscf.mc1.lab"} 1.0
diameter_peer_open{group="hss",peer="hss.mc1.lab"} 0.0
"""


def test_open_peers_are_read_from_the_metrics() -> None:
    assert dict(_OPEN.findall(METRICS)) == {"icscf.mc1.lab": "1", "hss.mc1.lab": "0"}


def test_each_trial_has_a_name() -> None:
    assert set(TRIALS) == {"options", "capabilities", "peers"}
