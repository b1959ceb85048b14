"""RFC 6733 §5.6: the table of the peer state machine, row by row, as the RFC prints it."""

import pytest

from diameter_proxy.diameter.peer import TABLE, Action, Event, Peer, State

RFC = """
Closed             | Start            | I-Snd-Conn-Req                     | Wait-Conn-Ack
Closed             | R-Conn-CER       | R-Accept, Process-CER, R-Snd-CEA   | R-Open
Wait-Conn-Ack      | I-Rcv-Conn-Ack   | I-Snd-CER                          | Wait-I-CEA
Wait-Conn-Ack      | I-Rcv-Conn-Nack  | Cleanup                            | Closed
Wait-Conn-Ack      | R-Conn-CER       | R-Accept, Process-CER              | Wait-Conn-Ack/Elect
Wait-Conn-Ack      | Timeout          | Error                              | Closed
Wait-I-CEA         | I-Rcv-CEA        | Process-CEA                        | I-Open
Wait-I-CEA         | R-Conn-CER       | R-Accept, Process-CER, Elect       | Wait-Returns
Wait-I-CEA         | I-Peer-Disc      | I-Disc                             | Closed
Wait-I-CEA         | I-Rcv-Non-CEA    | Error                              | Closed
Wait-I-CEA         | Timeout          | Error                              | Closed
Wait-Conn-Ack/Elect| I-Rcv-Conn-Ack   | I-Snd-CER, Elect                   | Wait-Returns
Wait-Conn-Ack/Elect| I-Rcv-Conn-Nack  | R-Snd-CEA                          | R-Open
Wait-Conn-Ack/Elect| R-Peer-Disc      | R-Disc                             | Wait-Conn-Ack
Wait-Conn-Ack/Elect| R-Conn-CER       | R-Reject                           | Wait-Conn-Ack/Elect
Wait-Conn-Ack/Elect| Timeout          | Error                              | Closed
Wait-Returns       | Win-Election     | I-Disc, R-Snd-CEA                  | R-Open
Wait-Returns       | I-Peer-Disc      | I-Disc, R-Snd-CEA                  | R-Open
Wait-Returns       | R-Peer-Disc      | R-Disc                             | Wait-I-CEA
Wait-Returns       | R-Conn-CER       | R-Reject                           | Wait-Returns
Wait-Returns       | Timeout          | Error                              | Closed
R-Open             | R-Conn-CER       | R-Reject                           | R-Open
R-Open             | Stop             | R-Snd-DPR                          | Closing
R-Open             | R-Rcv-DPR        | R-Snd-DPA                          | Closing
R-Open             | R-Peer-Disc      | R-Disc                             | Closed
I-Open             | R-Conn-CER       | R-Reject                           | I-Open
I-Open             | Stop             | I-Snd-DPR                          | Closing
I-Open             | I-Rcv-DPR        | I-Snd-DPA                          | Closing
I-Open             | I-Peer-Disc      | I-Disc                             | Closed
Closing            | I-Rcv-DPA        | I-Disc                             | Closed
Closing            | R-Rcv-DPA        | R-Disc                             | Closed
Closing            | Timeout          | Error                              | Closed
Closing            | I-Peer-Disc      | I-Disc                             | Closed
Closing            | R-Peer-Disc      | R-Disc                             | Closed
"""


def enum_name(text: str) -> str:
    return text.strip().upper().replace("-", "_").replace("/", "_")


ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in RFC.strip().splitlines()]


@pytest.mark.parametrize(("state", "event", "actions", "following"), ROWS, ids=[f"{r[0]}-{r[1]}" for r in ROWS])
def test_row_of_rfc_6733_5_6(state: str, event: str, actions: str, following: str) -> None:
    peer = Peer()
    peer.state = State[enum_name(state)]
    found = peer.handle(Event[enum_name(event)])
    assert list(found) == [Action[enum_name(action)] for action in actions.split(",")]
    assert peer.state is State[enum_name(following)]


def test_cea_during_an_election_also_keeps_what_it_says_and_tells_who_lost() -> None:
    """RFC 6733 §5.6: Wait-Returns, I-Rcv-CEA: R-Disc, I-Open; its content has to be processed too; §7.1.4: 4003."""
    peer = Peer()
    peer.state = State.WAIT_RETURNS
    assert peer.handle(Event.I_RCV_CEA) == (Action.PROCESS_CEA, Action.R_SND_ELECTION_LOST, Action.R_DISC)
    assert peer.state is State.I_OPEN


def test_rows_beyond_the_rfc_are_those_that_are_marked() -> None:
    known = {(State[enum_name(row[0])], Event[enum_name(row[1])]) for row in ROWS}
    ours = {(state.name, event.name) for state, event in TABLE if (state, event) not in known}
    assert ours == {
        ("WAIT_RETURNS", "I_RCV_CEA"),
        ("WAIT_RETURNS", "I_RCV_NON_CEA"),
        ("CLOSED", "STOP"),
        ("WAIT_CONN_ACK", "STOP"),
        ("WAIT_I_CEA", "STOP"),
        ("WAIT_CONN_ACK_ELECT", "STOP"),
        ("WAIT_RETURNS", "STOP"),
        ("CLOSING", "I_RCV_DPR"),
        ("CLOSING", "R_RCV_DPR"),
        ("R_OPEN", "R_CONN_CER_REPLACES"),
        ("I_OPEN", "R_CONN_CER_REPLACES"),
        ("CLOSING", "R_CONN_CER_REPLACES"),
    }
