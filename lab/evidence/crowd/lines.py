"""tshark's lines of a storm's capture as messages and payloads: one line a frame, each forgotten once it is used.

Fields cost a quarter of JSON.  tshark finds messages, decrypts them, and says where each AVP begins and ends; here
the list of AVPs becomes the tree that it was, and their text is read as the type that TS 29.229 §6.3 and RFC 6733 §4.5
give.
SIP is read over UDP, as the load generator and the cores speak it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from lab.evidence.messages import Avp, DiameterMessage, Frame, HttpMessage, SipMessage
from lab.evidence.packets import header_lines

BETWEEN: Final = "\x1f"
"""Between the values of a field that occurs more than once in a frame."""
FILTER: Final = "ip && !icmp && (udp || tcp.len > 0)"
FIELDS: Final = (
    "frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.stream", "tcp.srcport", "tcp.dstport", "udp.srcport",
    "udp.dstport", "tcp.payload", "udp.payload", "sip.Method", "sip.Status-Code", "sip.r-uri",
    "diameter.flags", "diameter.cmd.code", "diameter.applicationId", "diameter.hopbyhopid", "diameter.endtoendid",
    "diameter.length", "diameter.avp", "http.request.method", "http.request.uri", "http.response.code",
    "http.request.line", "http.response.line", "http.file_data", "tls.handshake.certificate_length",
    "tls.record.opaque_type", "tls.record.content_type",
)  # fmt: skip
HEADER_OCTETS: Final = 20
_VENDOR: Final = 0x80
# fmt: off
_NUMBERS: Final = frozenset({258, 260, 266, 268, 277, 298, 607, 613, 614, 623, 624})
_GROUPS:  Final = frozenset({260, 279, 284, 297, 603, 604, 612, 615, 618})
_OPAQUE:  Final = frozenset({606, 609, 610, 625, 626})
# fmt: on


class Arrival(NamedTuple):
    """One frame with octets over TCP or UDP, and the messages that tshark found in it."""

    frame: Frame
    octets: bytes
    sip: SipMessage | None = None
    diameter: tuple[DiameterMessage, ...] = ()
    http: HttpMessage | None = None
    shows_certificate: bool = False


def arguments() -> list[str]:
    """Return what tshark is told."""
    fields = [argument for name in FIELDS for argument in ("-e", name)]
    return ["-Y", FILTER, "-T", "fields", "-E", f"aggregator={BETWEEN}", *fields]


def read_arrivals(lines: Iterable[str]) -> Iterator[Arrival]:
    """Yield what came in each frame; a line that lacks what every frame has is passed over."""
    for line in lines:
        values = line.rstrip("\r\n").split("\t")
        if len(values) == len(FIELDS) and values[2] and (values[9] or values[10]):
            yield _arrival(values)


def _arrival(values: Sequence[str]) -> Arrival:
    number, time_s, source, destination, stream, *ports = values[:9]
    here, there = (ports[0], ports[1]) if stream else (ports[2], ports[3])
    frame = Frame(
        int(number), float(time_s), _one(source), _one(destination), int(_one(here)), int(_one(there)),
        int(_one(stream)) if stream else -1,
    )  # fmt: skip
    octets = bytes.fromhex(_one(values[9] or values[10]))
    return Arrival(
        frame,
        octets,
        _sip(frame, octets, values[11:14]) if values[11] or values[12] else None,
        tuple(_diameter(frame, values[14:21], is_tls=bool(values[28] or values[29]))) if values[14] else (),
        _http(frame, values[21:27]) if values[21] or values[23] else None,
        bool(values[27]),
    )


def _one(value: str) -> str:
    return value.partition(BETWEEN)[0]


def _sip(frame: Frame, octets: bytes, values: Sequence[str]) -> SipMessage | None:
    method, status, uri = map(_one, values)
    text = octets.decode("latin-1")
    line, _, rest = text.partition("\r\n")
    if frame.stream >= 0 or not rest:
        return None
    return SipMessage(
        frame=frame,
        method="" if status else method,
        uri=uri,
        status=int(status or 0),
        reason=line.split(" ", 2)[2] if status and line.count(" ") >= 2 else "",
        headers=header_lines(rest.partition("\r\n\r\n")[0]),
        text=text,
    )


def _diameter(frame: Frame, values: Sequence[str], *, is_tls: bool) -> Iterator[DiameterMessage]:
    """Yield the messages of a frame: each takes from the list the AVPs that fill its length."""
    *heads, avps = (value.split(BETWEEN) for value in values)
    position = 0
    for flags, command, application, hop_by_hop, end_to_end, length in zip(*heads, strict=False):
        members, position = _members(avps, position, 2 * (int(length) - HEADER_OCTETS))
        bits = int(flags, 16)
        yield DiameterMessage(
            frame=frame,
            is_request=bool(bits & 0x80),
            is_proxiable=bool(bits & 0x40),
            is_error=bool(bits & 0x20),
            is_retransmitted=bool(bits & 0x10),
            command_code=int(command),
            application_id=int(application),
            hop_by_hop=int(hop_by_hop, 16),
            end_to_end=int(end_to_end, 16),
            avps=members,
            is_tls=is_tls,
        )


def _members(avps: Sequence[str], position: int, digits: int) -> tuple[tuple[Avp, ...], int]:
    """Return the AVPs from a position on that fill so many hexadecimal digits, and the next position."""
    found = []
    while digits > 0 and position < len(avps):
        octets = avps[position]
        if len(octets) < 16:
            break
        digits -= len(octets)
        code, flags, length = int(octets[:8], 16), int(octets[8:10], 16), 2 * int(octets[10:16], 16)
        vendor = int(octets[16:24], 16) if flags & _VENDOR else 0
        data = octets[24 if vendor else 16 : length]
        position += 1
        children: tuple[Avp, ...] = ()
        if code in _GROUPS:
            children, position = _members(avps, position, len(data))
        found.append(Avp(f"avp-{code}", code, vendor, _text(code, data), octets, children))
    return tuple(found), position


def _text(code: int, data: str) -> str:
    if code in _GROUPS:
        return ""
    if code in _NUMBERS:
        return str(int(data or "0", 16))
    return data if code in _OPAQUE else bytes.fromhex(data).decode("utf-8", "replace")


def _http(frame: Frame, values: Sequence[str]) -> HttpMessage:
    method, uri, status, request_lines, response_lines, body = values
    lines = (request_lines or response_lines).replace("\\r\\n", "\r\n").replace(BETWEEN, "")
    headers = {name: found[0] for name, found in header_lines(lines).items()}
    path = _one(uri)
    return HttpMessage(frame, _one(method), path, int(_one(status) or 0), headers, body)
