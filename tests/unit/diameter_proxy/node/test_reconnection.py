"""Tc and its back-off."""

from dataclasses import replace
from math import inf

from diameter_proxy.node.config import NodeConfig
from diameter_proxy.node.reconnection import Reconnection


def test_wait_doubles_up_to_the_longest_and_begins_anew_after_success(config: NodeConfig) -> None:
    timer = Reconnection(replace(config, reconnect_s=1.0, reconnect_max_s=3.0), connects=True)
    assert timer.due == 0.0
    dues = []
    for _ in range(4):
        timer.failed(10.0, "refused")
        dues.append(timer.due)
    assert dues == [11.0, 12.0, 13.0, 13.0]
    timer.succeeded()
    timer.failed(20.0, "refused")
    assert timer.due == 21.0


def test_same_reason_is_news_once(config: NodeConfig) -> None:
    timer = Reconnection(config, connects=True)
    assert [timer.failed(0.0, reason) for reason in ("a", "a", "b")] == [True, False, True]


def test_unwanted_node_waits_long(config: NodeConfig) -> None:
    """RFC 6733 §5.4."""
    timer = Reconnection(config, connects=True)
    timer.unwanted()
    timer.failed(0.0, "DPR")
    assert timer.due == config.reconnect_unwanted_s


def test_accepted_peer_and_stopped_node_never_connect(config: NodeConfig) -> None:
    accepted, stopped = Reconnection(config, connects=False), Reconnection(config, connects=True)
    stopped.begin()
    stopped.stop()
    for timer in (accepted, stopped):
        assert not timer.failed(0.0, "gone")
        assert timer.due == inf
