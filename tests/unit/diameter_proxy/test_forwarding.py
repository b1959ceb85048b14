"""Out and back in: an answer of ours goes to everybody who asked the same."""

from diameter_proxy.diameter.message import Message
from diameter_proxy.forwarding import Forwarder, is_reply_to
from diameter_proxy.hot_path import Counters, Pending, locate
from diameter_proxy.routing import Refusal, Route
from diameter_proxy.settings import Settings


def test_a_refusal_reaches_all_who_joined_and_one_who_is_gone_is_counted(made, wire):
    counters = Counters()
    forwarder = Forwarder(Settings("p", "r", frozenset(), b""), wire, counters, lambda: 0.0)
    message = made.mar()
    pending = Pending("a", message, locate(message), Route.PARTNER, 303, message, ("x",), 0, 1)
    pending.joined += (("b", message), ("gone", message))
    wire.closed = {"gone"}
    forwarder.refuse_pending(pending, Refusal("why", result_code=3002))
    assert [peer for peer, _ in wire.sent] == ["a", "b"]
    assert counters.answers_undeliverable == 1
    assert counters.refused == {("result", 3002): 3}
    assert is_reply_to(wire.sent[0][1], pending)


def test_success_in_our_name(made, wire):
    forwarder = Forwarder(Settings("p.lab", "r", frozenset(), b""), wire, Counters(), lambda: 0.0)
    forwarder.succeed("hss", made.mar())
    assert Message.decode(wire.sent[0][1]).header.is_error is False
