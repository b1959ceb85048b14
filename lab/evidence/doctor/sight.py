"""A capture through tshark as a doctor needs it: messages, connections, and Diameter on whatever port it is.

It takes any file that tshark reads, and needs no topology: ports on which Diameter is found by its own form are decoded
as Diameter (RFC 6733 §3); what stays unreadable is said.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from lab.evidence.dissect import CUT, DissectionFailed, stream_packets, stream_tshark
from lab.evidence.doctor import connections as tcp
from lab.evidence.doctor.attempts import read_attempts
from lab.evidence.doctor.authorisations import read_authorisations
from lab.evidence.doctor.isim import IsimKeys
from lab.evidence.doctor.view import View, infer_roles
from lab.evidence.facts import RunFacts
from lab.evidence.messages import Capture
from lab.evidence.packets import read_packets

PCAP_HEADER_OCTETS: Final = 24
"""tshark takes a shorter file for a capture without frames."""
EVENTS_MAX: Final = 500_000
"""Frames that open, refuse or end a TCP connection, or carry TLS: some 200 octets each."""
_MESSAGES: Final = "sip || diameter || http"
_LAYERS: Final = "frame ip ipv6 tcp udp sctp tls sip diameter http"
# Version 1, and CER, UAR, SAR, LIR, MAR, RTR or PPR as the command (RFC 6733 §3, TS 29.229 §6.1).
_UNRECOGNISED: Final = (
    "tcp.len > 19 && !diameter && !sip && !http && !tls && tcp.payload[0] == 01 && "
    "(tcp.payload[5:3] == 00:01:01 || (tcp.payload[5:2] == 00:01 && tcp.payload[7] >= 2c && tcp.payload[7] <= 31))"
)
_FIRST_LOOK: Final = f"{tcp.FILTER} || esp || ({_UNRECOGNISED})"


def look(
    capture: Path,
    facts: RunFacts | None = None,
    decode_as: Sequence[str] = (),
    key_log: Path | None = None,
    isims: Mapping[str, IsimKeys] | None = None,
) -> View:
    """Return what a doctor sees in a capture.

    Raises:
        DissectionFailed: the file is missing, is no capture, or tshark does not know a ``decode_as``.
    """
    if not capture.is_file():
        raise DissectionFailed(f"{capture}: no such capture or run directory")
    if capture.stat().st_size < PCAP_HEADER_OCTETS:
        raise DissectionFailed(f"{capture}: no capture: the header alone of one has {PCAP_HEADER_OCTETS} octets")
    options = [argument for rule in decode_as for argument in ("-d", rule)]
    options += ["-o", f"tls.keylog_file:{key_log}"] if key_log else []
    fields = [argument for name in tcp.FIELDS for argument in ("-e", name)]
    told = stream_tshark(capture, *options, "-Y", _FIRST_LOOK, "-T", "fields", *fields)
    lines = [line.rstrip("\r\n") for line in islice(told, EVENTS_MAX + 1)]
    if len(lines) > EVENTS_MAX:
        raise DissectionFailed(f"{capture}: over {EVENTS_MAX:,} frames of TCP set-up and TLS; {CUT}")
    for port in tcp.unrecognised_ports(lines):
        options += ["-d", f"tcp.port=={port},diameter"]
    seen = _messages(capture, options)
    connections = tcp.read_connections(lines)
    attempts = read_attempts(seen)
    notes = (*_unread(seen, connections), *_protected(lines))
    authorisations = read_authorisations(seen)
    roles = infer_roles(seen, attempts, authorisations)
    return View(seen, attempts, connections, facts, roles, notes, isims or {}, authorisations)


def _messages(capture: Path, options: list[str]) -> Capture:
    return read_packets(stream_packets(capture, *options, "-Y", _MESSAGES, "-J", _LAYERS))


def _unread(seen: Capture, connections: Sequence[tcp.Connection]) -> list[str]:
    read = {m.frame.stream for messages in (seen.sip, seen.diameter, seen.http) for m in messages}
    closed = [one for one in connections if one.is_tls and one.has_data and one.stream not in read]
    unread = [one for one in closed if not one.is_finished]
    if not unread:
        return []
    ports = ", ".join(str(port) for port in sorted({one.port for one in unread if one.port}))
    return [f"{len(unread)} TLS connections could not be read (ports {ports or 'unknown'}): no secrets; --keys FILE"]


def _protected(lines: Sequence[str]) -> list[str]:
    count = sum(not dict(zip(tcp.FIELDS, line.split("\t"), strict=False)).get("tcp.stream") for line in lines)
    return [f"{count} ESP frames could not be read: SIP inside a security association"] if count else []
