"""What ``ip`` reads to put a port behind a slow piece of cable and back."""

from lab.runtime.slow_cable import inserted, removed


def test_a_port_leaves_its_bridge_for_one_of_its_own_and_comes_back() -> None:
    there = inserted("hss.mc1", "br-mc1", "slow0").splitlines()
    assert there[0] == "link add slow0 type bridge mcast_snooping 0"
    assert "link set slow0a addrgenmode none master slow0 up" in there
    assert "link set slow0b addrgenmode none master br-mc1 up" in there
    assert there[-2:] == ["link set hss.mc1 nomaster", "link set hss.mc1 master slow0"]
    assert removed("hss.mc1", "br-mc1", "slow0").splitlines() == [
        "link set hss.mc1 nomaster",
        "link set hss.mc1 master br-mc1",
        "link del slow0",
    ]
