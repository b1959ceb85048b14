# ruff: noqa: E501 - the table is wider than prose
"""The peer state machine, in both roles, and the election (RFC 6733 §5.6).

I is the transport that we initiated, R the one on which we respond.  The machine opens, reads and sends nothing:
``handle`` returns the actions that the caller must now carry out.  A CER or CEA that fails its checks is no event here
(the caller answers and closes); messages on an open connection do not come through here either, save DPR and DPA.
"""

from enum import Enum, auto
from typing import Final

from diameter_proxy.diameter.errors import UnexpectedEvent
from diameter_proxy.diameter.watchdog import WatchdogState


class State(Enum):
    """The states of RFC 6733 §5.6."""

    CLOSED = auto()
    WAIT_CONN_ACK = auto()
    WAIT_I_CEA = auto()
    WAIT_CONN_ACK_ELECT = auto()
    WAIT_RETURNS = auto()
    R_OPEN = auto()
    I_OPEN = auto()
    CLOSING = auto()

    @property
    def is_open(self) -> bool:
        """R-Open or I-Open: messages may be exchanged."""
        return self in OPEN_STATES


OPEN_STATES: Final = (State.R_OPEN, State.I_OPEN)


class Event(Enum):
    """The events of RFC 6733 §5.6.2 that move the machine, and one of ours."""

    START = auto()
    R_CONN_CER = auto()
    I_RCV_CONN_ACK = auto()
    I_RCV_CONN_NACK = auto()
    TIMEOUT = auto()
    I_RCV_CEA = auto()
    I_RCV_NON_CEA = auto()
    I_PEER_DISC = auto()
    R_PEER_DISC = auto()
    WIN_ELECTION = auto()
    STOP = auto()
    I_RCV_DPR = auto()
    R_RCV_DPR = auto()
    I_RCV_DPA = auto()
    R_RCV_DPA = auto()
    R_CONN_CER_REPLACES = auto()
    """Ours: an accepted CER on a second connection takes the place of a dead first one (``second_connection``)."""


class Action(Enum):
    """The actions of RFC 6733 §5.6.3."""

    I_SND_CONN_REQ = auto()
    R_ACCEPT = auto()
    R_REJECT = auto()
    PROCESS_CER = auto()
    PROCESS_CEA = auto()
    I_SND_CER = auto()
    R_SND_CEA = auto()
    CLEANUP = auto()
    ERROR = auto()
    ELECT = auto()
    I_DISC = auto()
    R_DISC = auto()
    I_SND_DPR = auto()
    R_SND_DPR = auto()
    I_SND_DPA = auto()
    R_SND_DPA = auto()
    R_SND_ELECTION_LOST = auto()
    """Ours: the CEA that tells the peer that we, the responder, have lost the election (4003, RFC 6733 §7.1.4)."""


Row = tuple[tuple[Action, ...], State]

_ACCEPT: Final = (Action.R_ACCEPT, Action.PROCESS_CER, Action.R_SND_CEA)

# fmt: off
TABLE: Final[dict[tuple[State, Event], Row]] = {
    # state                      event                        actions                                                    next state
    (State.CLOSED,               Event.START):               ((Action.I_SND_CONN_REQ,),                                  State.WAIT_CONN_ACK),
    (State.CLOSED,               Event.R_CONN_CER):          (_ACCEPT,                                                   State.R_OPEN),

    (State.WAIT_CONN_ACK,        Event.I_RCV_CONN_ACK):      ((Action.I_SND_CER,),                                       State.WAIT_I_CEA),
    (State.WAIT_CONN_ACK,        Event.I_RCV_CONN_NACK):     ((Action.CLEANUP,),                                         State.CLOSED),
    (State.WAIT_CONN_ACK,        Event.R_CONN_CER):          ((Action.R_ACCEPT, Action.PROCESS_CER),                     State.WAIT_CONN_ACK_ELECT),
    (State.WAIT_CONN_ACK,        Event.TIMEOUT):             ((Action.ERROR,),                                           State.CLOSED),

    (State.WAIT_I_CEA,           Event.I_RCV_CEA):           ((Action.PROCESS_CEA,),                                     State.I_OPEN),
    (State.WAIT_I_CEA,           Event.R_CONN_CER):          ((Action.R_ACCEPT, Action.PROCESS_CER, Action.ELECT),       State.WAIT_RETURNS),
    (State.WAIT_I_CEA,           Event.I_PEER_DISC):         ((Action.I_DISC,),                                          State.CLOSED),
    (State.WAIT_I_CEA,           Event.I_RCV_NON_CEA):       ((Action.ERROR,),                                           State.CLOSED),
    (State.WAIT_I_CEA,           Event.TIMEOUT):             ((Action.ERROR,),                                           State.CLOSED),

    (State.WAIT_CONN_ACK_ELECT,  Event.I_RCV_CONN_ACK):      ((Action.I_SND_CER, Action.ELECT),                          State.WAIT_RETURNS),
    (State.WAIT_CONN_ACK_ELECT,  Event.I_RCV_CONN_NACK):     ((Action.R_SND_CEA,),                                       State.R_OPEN),
    (State.WAIT_CONN_ACK_ELECT,  Event.R_PEER_DISC):         ((Action.R_DISC,),                                          State.WAIT_CONN_ACK),
    (State.WAIT_CONN_ACK_ELECT,  Event.R_CONN_CER):          ((Action.R_REJECT,),                                        State.WAIT_CONN_ACK_ELECT),
    (State.WAIT_CONN_ACK_ELECT,  Event.TIMEOUT):             ((Action.ERROR,),                                           State.CLOSED),

    (State.WAIT_RETURNS,         Event.WIN_ELECTION):        ((Action.I_DISC, Action.R_SND_CEA),                         State.R_OPEN),
    (State.WAIT_RETURNS,         Event.I_PEER_DISC):         ((Action.I_DISC, Action.R_SND_CEA),                         State.R_OPEN),
    # Beyond the row: its content is kept, and the CER that is not answered yet is, before its transport is closed.
    (State.WAIT_RETURNS,         Event.I_RCV_CEA):           ((Action.PROCESS_CEA, Action.R_SND_ELECTION_LOST, Action.R_DISC), State.I_OPEN),
    (State.WAIT_RETURNS,         Event.R_PEER_DISC):         ((Action.R_DISC,),                                          State.WAIT_I_CEA),
    (State.WAIT_RETURNS,         Event.R_CONN_CER):          ((Action.R_REJECT,),                                        State.WAIT_RETURNS),
    (State.WAIT_RETURNS,         Event.TIMEOUT):             ((Action.ERROR,),                                           State.CLOSED),

    (State.R_OPEN,               Event.R_CONN_CER):          ((Action.R_REJECT,),                                        State.R_OPEN),
    (State.R_OPEN,               Event.STOP):                ((Action.R_SND_DPR,),                                       State.CLOSING),
    (State.R_OPEN,               Event.R_RCV_DPR):           ((Action.R_SND_DPA,),                                       State.CLOSING),
    (State.R_OPEN,               Event.R_PEER_DISC):         ((Action.R_DISC,),                                          State.CLOSED),

    (State.I_OPEN,               Event.R_CONN_CER):          ((Action.R_REJECT,),                                        State.I_OPEN),
    (State.I_OPEN,               Event.STOP):                ((Action.I_SND_DPR,),                                       State.CLOSING),
    (State.I_OPEN,               Event.I_RCV_DPR):           ((Action.I_SND_DPA,),                                       State.CLOSING),
    (State.I_OPEN,               Event.I_PEER_DISC):         ((Action.I_DISC,),                                          State.CLOSED),

    (State.CLOSING,              Event.I_RCV_DPA):           ((Action.I_DISC,),                                          State.CLOSED),
    (State.CLOSING,              Event.R_RCV_DPA):           ((Action.R_DISC,),                                          State.CLOSED),
    (State.CLOSING,              Event.TIMEOUT):             ((Action.ERROR,),                                           State.CLOSED),
    (State.CLOSING,              Event.I_PEER_DISC):         ((Action.I_DISC,),                                          State.CLOSED),
    (State.CLOSING,              Event.R_PEER_DISC):         ((Action.R_DISC,),                                          State.CLOSED),

    # Ours.  The RFC is silent on a CEA that refuses us while an election is on: our transport is gone, as with I-Peer-Disc.
    (State.WAIT_RETURNS,         Event.I_RCV_NON_CEA):       ((Action.I_DISC, Action.R_SND_CEA),                         State.R_OPEN),
    # Ours.  The RFC is silent on a stop before the capabilities exchange: there is nobody to send a DPR to.
    (State.CLOSED,               Event.STOP):                ((),                                                        State.CLOSED),
    (State.WAIT_CONN_ACK,        Event.STOP):                ((Action.ERROR,),                                           State.CLOSED),
    (State.WAIT_I_CEA,           Event.STOP):                ((Action.ERROR,),                                           State.CLOSED),
    (State.WAIT_CONN_ACK_ELECT,  Event.STOP):                ((Action.ERROR,),                                           State.CLOSED),
    (State.WAIT_RETURNS,         Event.STOP):                ((Action.ERROR,),                                           State.CLOSED),
    # Ours.  Both sides may send DPR at once: each is answered (RFC 6733 §5.4 has no word on it).
    (State.CLOSING,              Event.I_RCV_DPR):           ((Action.I_SND_DPA,),                                       State.CLOSING),
    (State.CLOSING,              Event.R_RCV_DPR):           ((Action.R_SND_DPA,),                                       State.CLOSING),
    # Ours.  A peer that died without a FIN comes back on a new connection while the old one still looks alive.
    (State.R_OPEN,               Event.R_CONN_CER_REPLACES): ((Action.R_DISC, *_ACCEPT),                                 State.R_OPEN),
    (State.I_OPEN,               Event.R_CONN_CER_REPLACES): ((Action.I_DISC, *_ACCEPT),                                 State.R_OPEN),
    (State.CLOSING,              Event.R_CONN_CER_REPLACES): ((Action.I_DISC, Action.R_DISC, *_ACCEPT),                  State.R_OPEN),
}
# fmt: on


class Peer:
    """Where one peer stands in the table."""

    def __init__(self) -> None:
        self.state = State.CLOSED

    def handle(self, event: Event) -> tuple[Action, ...]:
        """Move to the next state; return the actions the caller must now carry out, in order.

        Raises:
            UnexpectedEvent: no such row; the state is unchanged.
        """
        row = TABLE.get((self.state, event))
        if row is None:
            raise UnexpectedEvent(f"{event.name} in state {self.state.name}")
        actions, self.state = row
        return actions


def wins_election(local_host: str, remote_host: str) -> bool:
    """Say whether we, the responder, win: our Origin-Host comes after the peer's, case apart (RFC 6733 §5.6.4)."""
    return local_host.lower() > remote_host.lower()


class SecondConnection(Enum):
    """What becomes of an acceptable CER from a peer that has a connection already."""

    REPLACE = auto()
    """The new connection takes over; the old one is closed."""
    HOLD = auto()
    """Ask the first connection with a DWR: silence replaces it, any answer rejects the second."""


def second_connection(state: State, watchdog: WatchdogState, *, has_restarted: bool) -> SecondConnection:
    """Decide on a second connection where RFC 6733 §5.6 says R-Reject, which would lock out a peer that lost its first.

    Args:
        state: of the peer machine: R_OPEN, I_OPEN or CLOSING.
        watchdog: of the first connection.
        has_restarted: same address as the first, and another Origin-State-Id (RFC 6733 §8.16).
    """
    if state is State.CLOSING or watchdog is WatchdogState.SUSPECT or has_restarted:
        return SecondConnection.REPLACE
    return SecondConnection.HOLD
