"""Connections are read from tshark's lines: opened, accepted, refused, closed; alerts, names, Server Name."""

from lab.evidence.doctor.connections import FIELDS, Alert, read_connections, unrecognised_ports


def line(**values: str) -> str:
    given = {"frame.number": "1", "frame.time_epoch": "1.0", "ip.src": "a", "ip.dst": "b", "tcp.stream": "0"}
    given |= {"tcp.srcport": "40000", "tcp.dstport": "3868"}
    given |= {name.replace("__", "."): value for name, value in values.items()}
    return "\t".join(given.get(name, "") for name in FIELDS)


SYN = line(tcp__flags__syn="1")
TLS = line(**{"tcp.stream": "1", "tls.record.content_type": "23"})


def test_a_syn_with_its_answer_is_an_open_connection() -> None:
    answer = line(frame__number="2", ip__src="b", ip__dst="a", **{"tcp.flags.syn": "1", "tcp.flags.ack": "1"})
    found = read_connections([SYN, answer.replace("frame__number", "")])[0]
    assert (found.client, found.server, found.port, found.opened) == ("a", "b", 3868, 1)
    assert found.accepted > 0
    assert found.refused == 0


def test_a_reset_that_answers_a_syn_is_a_refusal() -> None:
    reset = line(**{"frame.number": "2", "tcp.flags.reset": "1"})
    found = read_connections([SYN, reset])[0]
    assert (found.refused, found.closed, found.frames) == (2, 0, (1, 2))


def test_a_later_end_says_who_closed() -> None:
    accepted = line(**{"frame.number": "2", "tcp.flags.syn": "1", "tcp.flags.ack": "1"})
    end = line(**{"frame.number": "9", "frame.time_epoch": "3.0", "ip.src": "b", "tcp.flags.fin": "1"})
    found = read_connections([SYN, accepted, end])[0]
    assert (found.closed, found.closed_by, found.closed_s) == (9, "b", 3.0)


def test_tls_gives_names_alerts_and_the_end_of_the_handshake() -> None:
    shown = line(**{"ip.src": "b", "tls.handshake.type": "11,20", "x509ce.dNSName": "x.lab,y.lab"})
    alert = line(**{"frame.number": "5", "tls.alert_message.desc": "48", "tls.record.content_type": "21"})
    hello = line(**{"tls.handshake.type": "1", "tls.handshake.extensions_server_name": "x.lab"})
    found = read_connections([SYN, hello, shown, alert])[0]
    assert found.shown_by("b").names == ("x.lab", "y.lab")  # type: ignore[union-attr]
    assert found.shown_by("a") is None
    assert (found.asked_for, found.is_tls, found.is_finished) == ("x.lab", True, True)
    assert found.alerts == [Alert(5, "a", 48)]


def test_a_line_without_a_stream_or_cut_short_is_passed_over() -> None:
    assert read_connections(["", "1\t2", line(**{"tcp.stream": ""}), line(**{"frame.number": "x"})]) == ()


def test_the_beginning_may_be_missing() -> None:
    found = read_connections([line(**{"tcp.flags.fin": "1"})])[0]
    assert (found.client, found.opened, found.closed) == ("", 0, 1)


def test_what_is_no_life_of_a_connection_and_no_tls_was_looked_for_otherwise() -> None:
    lines = [SYN, line(**{"tcp.srcport": "41234", "tcp.dstport": "3871"}), TLS]
    assert unrecognised_ports(lines) == [3871]


def test_the_middle_of_a_tls_record_is_tls() -> None:
    """Else its port would be decoded as Diameter, and no HTTP of the capture be seen."""
    middle = line(**{"tcp.srcport": "443", "tcp.dstport": "41234", "tcp.stream": "1"})
    assert unrecognised_ports([middle, TLS]) == []
