"""A node without peers; whole conversations are in tests/integration."""

import pytest

from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.node import ListenerConfig, ListenFailed, Node, NodeConfig, PeerNotOpen


def ignore(*_: object) -> None:
    """Hear nothing."""


def test_nobody_is_open_and_nothing_is_sent_to_nobody(config: NodeConfig) -> None:
    node = Node(config, ignore, ignore)
    assert not node.is_open("hss.mc1.lab")
    assert node.peers == {}
    with pytest.raises(PeerNotOpen):
        node.send("hss.mc1.lab", encode_message(0x80, 303, 0, 0, 0, ()))
    with pytest.raises(PeerNotOpen):
        node.next_hop_by_hop("hss.mc1.lab")
    assert node.reserve_hop_by_hop("hss.mc1.lab", 2) is None
    with pytest.raises(PeerNotOpen):
        node.send_all("hss.mc1.lab", encode_message(0x80, 303, 0, 0, 0, ()), 1)
    assert not node.is_ready("hss.mc1.lab")
    node.pause_source("a", "b")


def test_a_fault_of_who_sees_a_read_first_costs_no_message(config: NodeConfig) -> None:
    def fail(peer: str, runs: list[bytes]) -> list[bytes]:
        raise ValueError("a fault")

    message = encode_message(0xC0, 303, 0, 0, 0, ())
    for node in (Node(config, ignore, ignore, on_messages=fail), Node(config, ignore, ignore)):
        assert node.on_messages("hss.mc1.lab", [message, message * 2]) == [message] * 3


def test_end_to_end_identifiers_are_new_each_time(config: NodeConfig) -> None:
    node = Node(config, ignore, ignore)
    assert node.next_end_to_end() != node.next_end_to_end()


async def test_address_that_cannot_be_bound_is_said_at_the_start() -> None:
    with pytest.raises(ListenFailed):
        await Node(NodeConfig("a", "b", (ListenerConfig("192.0.2.1"),)), ignore, ignore).start()
