"""Defaults that specifications ask for."""

from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig


def test_defaults_follow_the_specifications() -> None:
    """RFC 6733 §2.1: port 3868; RFC 3539 §3.4.1: Tw at least 6 s; TS 29.229 §5.3: 10415, 16777216."""
    config = NodeConfig("a", "b")
    assert ListenerConfig("127.0.0.1").port == PeerConfig("a", "b").port == 3868
    assert config.watchdog_s >= 6
    assert config.vendor_specific_applications == ((10415, 16777216),)
    assert config.capabilities_s <= 10
