"""A node is what its links ask for."""

from diameter_proxy.node.node import Node
from diameter_proxy.node.program import Program


def test_a_node_has_all_that_a_link_asks_for() -> None:
    asked = {name for name in vars(Program) if not name.startswith("_")}
    assert asked == {
        "now",
        "connect",
        "on_messages",
        "on_request",
        "on_answer",
        "on_connection",
        "on_peer",
        "on_closed",
    }
    assert all(callable(getattr(Node, name)) for name in asked)
