"""The peer machine as a script; its table against the RFC's is held in tests/conformance."""

import pytest

from diameter_proxy.diameter.errors import UnexpectedEvent
from diameter_proxy.diameter.peer import (
    TABLE,
    Action,
    Event,
    Peer,
    SecondConnection,
    State,
    second_connection,
    wins_election,
)
from diameter_proxy.diameter.watchdog import WatchdogState


def test_life_of_an_initiator() -> None:
    script = [
        (Event.START, [Action.I_SND_CONN_REQ], State.WAIT_CONN_ACK),
        (Event.I_RCV_CONN_ACK, [Action.I_SND_CER], State.WAIT_I_CEA),
        (Event.I_RCV_CEA, [Action.PROCESS_CEA], State.I_OPEN),
        (Event.STOP, [Action.I_SND_DPR], State.CLOSING),
        (Event.I_RCV_DPA, [Action.I_DISC], State.CLOSED),
    ]
    peer = Peer()
    for event, actions, state in script:
        assert list(peer.handle(event)) == actions
        assert peer.state is state


def test_event_without_row_is_an_error_and_nothing_changes() -> None:
    for state in State:
        for event in Event:
            peer = Peer()
            peer.state = state
            if (state, event) not in TABLE:
                with pytest.raises(UnexpectedEvent):
                    peer.handle(event)
                assert peer.state is state


def test_every_state_is_reached_and_left() -> None:
    assert {state for _, state in TABLE.values()} == set(State)
    assert {state for state, _ in TABLE} == set(State)
    assert {event for _, event in TABLE} == set(Event)
    assert {action for actions, _ in TABLE.values() for action in actions} == set(Action)


def test_election_is_won_by_the_later_name_case_apart() -> None:
    """RFC 6733 §5.6.4."""
    assert wins_election("proxy2.mc1.lab", "proxy1.mc1.lab")
    assert not wins_election("proxy1.mc1.lab", "Proxy1.mc1.lab")
    assert wins_election("b", "A")
    assert not wins_election("A", "b")


@pytest.mark.parametrize(
    ("state", "watchdog", "has_restarted", "verdict"),
    [
        (State.CLOSING, WatchdogState.DOWN, False, SecondConnection.REPLACE),
        (State.R_OPEN, WatchdogState.SUSPECT, False, SecondConnection.REPLACE),
        (State.R_OPEN, WatchdogState.OKAY, True, SecondConnection.REPLACE),
        (State.R_OPEN, WatchdogState.OKAY, False, SecondConnection.HOLD),
        (State.I_OPEN, WatchdogState.REOPEN, False, SecondConnection.HOLD),
    ],
)
def test_second_connection_replaces_only_a_dead_first_one(
    state: State, watchdog: WatchdogState, has_restarted: bool, verdict: SecondConnection
) -> None:
    assert second_connection(state, watchdog, has_restarted=has_restarted) is verdict


def test_only_the_two_open_states_are_open() -> None:
    assert {state for state in State if state.is_open} == {State.R_OPEN, State.I_OPEN}
