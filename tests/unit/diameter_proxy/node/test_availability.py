"""A peer's standing is told when it changes, and not otherwise."""

import pytest

from diameter_proxy.diameter.peer import State
from diameter_proxy.diameter.watchdog import WatchdogState
from diameter_proxy.node.availability import Availability, kind_of
from diameter_proxy.node.config import PeerConfig
from diameter_proxy.node.events import PeerEventKind


@pytest.mark.parametrize(
    ("state", "watchdog", "kind"),
    [
        (State.I_OPEN, WatchdogState.OKAY, PeerEventKind.OPEN),
        (State.R_OPEN, WatchdogState.SUSPECT, PeerEventKind.SUSPECT),
        (State.R_OPEN, WatchdogState.REOPEN, PeerEventKind.CLOSED),
        (State.CLOSING, WatchdogState.OKAY, PeerEventKind.CLOSED),
    ],
)
def test_open_is_both_open_and_trusted(state: State, watchdog: WatchdogState, kind: PeerEventKind) -> None:
    assert kind_of(state, watchdog) is kind


def test_only_news_is_told() -> None:
    told: list[tuple[PeerEventKind, str]] = []
    opened: list[None] = []
    availability = Availability(
        PeerConfig("hss.mc1.lab", "ims.mc1.lab"),
        lambda event: told.append((event.kind, event.reason)),
        lambda: opened.append(None),
    )
    for watchdog in (WatchdogState.OKAY, WatchdogState.OKAY, WatchdogState.SUSPECT, WatchdogState.OKAY):
        availability.announce(State.I_OPEN, watchdog, "", None)
    availability.announce(State.CLOSED, WatchdogState.DOWN, "gone", None)
    kinds = [PeerEventKind.OPEN, PeerEventKind.SUSPECT, PeerEventKind.OPEN, PeerEventKind.CLOSED]
    assert [kind for kind, _ in told] == kinds
    assert (told[-1][1], len(opened)) == ("gone", 2)
