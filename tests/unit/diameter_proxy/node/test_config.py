"""Defaults that specifications ask for."""

from ipaddress import ip_network

import pytest

from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig


def test_defaults_follow_the_specifications() -> None:
    """RFC 6733 §2.1: port 3868; RFC 3539 §3.4.1: Tw at least 6 s; TS 29.229 §5.3: 10415, 16777216."""
    config = NodeConfig("a", "b")
    assert ListenerConfig("127.0.0.1").port == PeerConfig("a", "b").port == 3868
    assert config.watchdog_s >= 6
    assert config.vendor_specific_applications == ((10415, 16777216),)
    assert config.capabilities_s <= 10


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("10.77.1.12", True),
        ("::ffff:10.77.1.12", True),
        ("10.77.2.12", False),
        ("fd00::1%eth0", True),
        ("fd01::1", False),
        ("", False),
    ],
)
def test_a_peer_may_come_from_its_addresses_only(address: str, may: bool) -> None:
    networks = (ip_network("10.77.1.0/24"), ip_network("fd00::/64"))
    assert PeerConfig("a.lab", "lab", addresses=networks).may_come_from(address) is may
    assert PeerConfig("a.lab", "lab").may_come_from(address)
