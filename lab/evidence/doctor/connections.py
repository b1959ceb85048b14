"""TCP connections of a capture and their TLS handshakes: who opened, accepted, refused and closed them, what was shown.

Read from lines of tshark (``FIELDS``); a connection whose beginning is not in the capture has no client.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FIELDS: Final = (
    "frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport",
    "tcp.stream", "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.reset", "tcp.flags.fin", "tls.handshake.type",
    "tls.alert_message.desc", "tls.handshake.extensions_server_name", "x509ce.dNSName", "tls.record.content_type",
    "tls.record.opaque_type",
)  # fmt: skip
FILTER: Final = "tcp.flags.syn == 1 || tcp.flags.reset == 1 || tcp.flags.fin == 1 || tls"

FINISHED: Final = "20"
# RFC 8446 §6.2 and RFC 5246 §7.2.2: alerts about a certificate or about who may connect.
CERTIFICATE_ALERTS: Final = {
    40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown", 48: "unknown_ca", 49: "access_denied",
    112: "unrecognized_name", 116: "certificate_required",
}  # fmt: skip


class Alert(NamedTuple):
    """A TLS alert: in which frame, from whom, its number."""

    frame: int
    sender: str
    code: int


class Shown(NamedTuple):
    """A certificate shown in a handshake: in which frame, by whom, with which DNS names."""

    frame: int
    sender: str
    names: tuple[str, ...]


@dataclass(slots=True)
class Connection:
    """One TCP connection.

    Attributes:
        opened, accepted, refused, closed: the frames of SYN, of SYN with ACK, of the RST that answers a SYN, and of the
            first FIN or later RST; 0 for none.
        finished: TLS handshakes could be read to their end, so that what follows is decrypted.
    """

    stream: int
    client: str = ""
    server: str = ""
    port: int = 0
    opened: int = 0
    opened_s: float = 0.0
    accepted: int = 0
    refused: int = 0
    closed: int = 0
    closed_s: float = 0.0
    closed_by: str = ""
    is_tls: bool = False
    is_finished: bool = False
    has_data: bool = False
    asked_for: str = ""
    alerts: list[Alert] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames that tell its life."""
        numbers = (self.opened, self.accepted, self.refused, *(alert.frame for alert in self.alerts), self.closed)
        return tuple(number for number in numbers if number)

    def shown_by(self, address: str) -> Shown | None:
        """Return the certificate that one end showed."""
        return next((shown for shown in self.shown if shown.sender == address), None)


def read_connections(lines: Iterable[str]) -> tuple[Connection, ...]:
    """Return the connections in tshark's lines of ``FIELDS``; a line that lacks what it should have is passed over."""
    found: dict[int, Connection] = {}
    for line in lines:
        values = dict(zip(FIELDS, line.rstrip("\r\n").split("\t"), strict=False))
        if values.get("tcp.stream", "").isdecimal() and values.get("frame.number", "").isdecimal():
            stream = int(values["tcp.stream"])
            _note(found.setdefault(stream, Connection(stream)), values)
    return tuple(found.values())


def unrecognised_ports(lines: Iterable[str]) -> list[int]:
    """Return the server ports of frames that are no part of a connection's life or of TLS: what else was looked for.

    A segment in the middle of a TLS record shows no record: it is of TLS as the rest of its connection is.
    """
    ports, tls = set(), set()
    read = [dict(zip(FIELDS, line.rstrip("\r\n").split("\t"), strict=False)) for line in lines]
    for values in read:
        if _all(values, "tls.record.content_type") or _all(values, "tls.record.opaque_type"):
            tls.add(values.get("tcp.stream", ""))
    for values in read:
        life = ("tcp.flags.syn", "tcp.flags.reset", "tcp.flags.fin")
        ends = [values.get("tcp.srcport", ""), values.get("tcp.dstport", "")]
        if (
            values.get("tcp.stream", "") not in tls
            and not any(_is(values, name) for name in life)
            and all(end.isdecimal() for end in ends)
        ):
            ports.add(min(map(int, ends)))
    return sorted(ports)


def _note(connection: Connection, values: dict[str, str]) -> None:
    number, at_s = int(values["frame.number"]), float(values["frame.time_epoch"])
    source = values["ip.src"] or values["ipv6.src"]
    destination = values["ip.dst"] or values["ipv6.dst"]
    if _is(values, "tcp.flags.syn"):
        _note_opening(connection, number, at_s, source, destination, values)
    elif _is(values, "tcp.flags.reset") and connection.opened and not connection.accepted:
        connection.refused = connection.refused or number
    elif (_is(values, "tcp.flags.fin") or _is(values, "tcp.flags.reset")) and not connection.closed:
        connection.closed, connection.closed_s, connection.closed_by = number, at_s, source
    _note_tls(connection, number, source, values)


def _note_opening(
    connection: Connection, number: int, at_s: float, source: str, destination: str, values: dict[str, str]
) -> None:
    if _is(values, "tcp.flags.ack"):
        connection.accepted = connection.accepted or number
    elif not connection.opened:
        connection.opened, connection.opened_s = number, at_s
        connection.client, connection.server = source, destination
        connection.port = int(values["tcp.dstport"])


def _note_tls(connection: Connection, number: int, source: str, values: dict[str, str]) -> None:
    types = _all(values, "tls.handshake.type")
    records = {*_all(values, "tls.record.content_type"), *_all(values, "tls.record.opaque_type")}
    connection.is_tls |= bool(types or records)
    connection.is_finished |= FINISHED in types
    connection.has_data |= "23" in records
    connection.asked_for = connection.asked_for or values.get("tls.handshake.extensions_server_name", "")
    for code in _all(values, "tls.alert_message.desc"):
        if code.isdecimal():
            connection.alerts.append(Alert(number, source, int(code)))
    names = tuple(_all(values, "x509ce.dNSName"))
    if names:
        connection.shown.append(Shown(number, source, names))


def _is(values: dict[str, str], name: str) -> bool:
    return values.get(name, "").split(",")[0] in ("1", "True")


def _all(values: dict[str, str], name: str) -> list[str]:
    return [text for text in values.get(name, "").split(",") if text]
