"""What a program hears of its peers."""

from diameter_proxy.node.events import PeerEvent, PeerEventKind


def test_event_names_its_peer_and_kind() -> None:
    event = PeerEvent("hss.mc1.lab", "hss", PeerEventKind.OPEN)
    assert (event.peer, event.kind.value, event.reason, event.origin_state_id) == ("hss.mc1.lab", "open", "", None)
