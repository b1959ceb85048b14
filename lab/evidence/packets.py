"""From tshark's JSON to messages.  A packet that lacks what it should have, cut off or malformed, is no message.

Header lines of SIP are split as text; compact header names become long ones (RFC 3261 §7.3.3).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from lab.evidence.messages import (
    Avp,
    Capture,
    Certificate,
    DiameterMessage,
    Frame,
    HttpMessage,
    Payload,
    Rtp,
    SipMessage,
)

Layer = Mapping[str, Any]
M = TypeVar("M")
Given = TypeVar("Given")

PAYLOAD_FIELDS: Final = (
    "frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.stream",
    "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.payload", "udp.payload",
    "rtp.ssrc", "rtp.seq", "tcp.flags.reset", "tcp.flags.fin",
)  # fmt: skip
_COMPACT: Final = {"i": "call-id", "f": "from", "t": "to", "m": "contact", "v": "via", "l": "content-length"}


def read_packets(packets: Iterable[Layer], payloads: Iterable[Payload] = (), broken: Iterable[Frame] = ()) -> Capture:
    """Return the messages in tshark's JSON layers."""
    sip: list[SipMessage] = []
    diameter: list[DiameterMessage] = []
    http: list[HttpMessage] = []
    certificates: list[Certificate] = []
    for layers in packets:
        frame = _read(_frame, layers)
        if frame is None:
            continue
        sip += _messages(layers, "sip", partial(_sip, frame))
        diameter += _messages(layers, "diameter", partial(_diameter, frame, is_tls="tls" in layers))
        http += _messages(layers, "http", partial(_http, frame))
        names = tuple(name for tls in _layers(layers, "tls") for name in _find(tls, "x509ce.dNSName"))
        if names:
            certificates.append(Certificate(frame, names))
    return Capture(tuple(sip), tuple(diameter), tuple(http), tuple(certificates), tuple(payloads), tuple(broken))


def read_payloads(lines: Iterable[str]) -> Iterator[Payload]:
    """Yield the payloads in tshark's lines of ``PAYLOAD_FIELDS``; frames without one are passed over."""
    for fields in _fields(lines):
        payload = _read(_payload, fields)
        if payload is not None:
            yield payload


def read_broken(lines: Iterable[str]) -> Iterator[Frame]:
    """Yield the TCP frames with RST or FIN (RFC 9293 §3.5.2, §3.6) in such lines: connections refused or ended."""
    for fields in _fields(lines):
        if {"1", "True"} & set(fields[-2:]):
            frame = _read(_frame_of, fields)
            if frame is not None:
                yield frame


def _fields(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) == len(PAYLOAD_FIELDS):
            yield fields


def _payload(fields: list[str]) -> Payload | None:
    tcp, udp, ssrc, sequence = fields[9:13]
    octets = bytes.fromhex(_octets(tcp or udp))
    frame = _frame_of(fields) if octets else None
    return Payload(frame, octets, Rtp(int(ssrc, 16), int(sequence)) if ssrc else None) if frame is not None else None


def _frame_of(fields: list[str]) -> Frame | None:
    number, time_s, source, destination, stream, *ports = fields[:9]
    if not source:
        return None
    source_port, destination_port = (ports[0], ports[1]) if stream else (ports[2], ports[3])
    return Frame(
        int(number), float(time_s), source, destination, int(source_port or 0), int(destination_port or 0),
        int(stream) if stream else -1,
    )  # fmt: skip


def _messages(layers: Layer, name: str, read: Callable[[Layer], M | None]) -> list[M]:
    return [message for layer in _layers(layers, name) if (message := _read(read, layer)) is not None]


def _read(reader: Callable[[Given], M | None], given: Given) -> M | None:
    """Return what ``reader`` makes of it, or None where tshark's output lacks what every whole message has."""
    try:
        return reader(given)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return None


def _layers(layers: Layer, name: str) -> list[Layer]:
    return [layer for layer in _list(layers.get(name)) if isinstance(layer, dict)]


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _first(value: Any) -> str:
    values = _list(value)
    return str(values[0]) if values else ""


def _find(tree: Any, key: str) -> Iterator[str]:
    """Yield every value under ``key``, at any depth."""
    if isinstance(tree, list):
        for item in tree:
            yield from _find(item, key)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield from (str(item) for item in _list(value))
            elif isinstance(value, dict | list):
                yield from _find(value, key)


def _frame(layers: Layer) -> Frame | None:
    frame = layers.get("frame")
    version = "ip" if "ip" in layers else "ipv6"
    kind = next((name for name in ("tcp", "udp", "sctp") if name in layers), "")
    ip, transport = layers.get(version), layers.get(kind)
    # An ICMP error quotes the datagram that it is about: tshark dissects that copy too, and it is no message.
    if not (isinstance(frame, dict) and isinstance(ip, dict) and isinstance(transport, dict)):
        return None
    return Frame(
        number=int(frame["frame.number"]),
        time_s=float(frame["frame.time_epoch"]),
        source=_first(ip[f"{version}.src"]),
        destination=_first(ip[f"{version}.dst"]),
        source_port=int(transport[f"{kind}.srcport"]),
        destination_port=int(transport[f"{kind}.dstport"]),
        stream=int(transport["tcp.stream"]) if kind == "tcp" else -1,
    )


def _octets(colons: str) -> str:
    return colons.replace(":", "")


def _diameter(frame: Frame, layer: Layer, *, is_tls: bool) -> DiameterMessage:
    flags = int(layer["diameter.flags"], 16)
    return DiameterMessage(
        frame=frame,
        is_request=bool(flags & 0x80),
        is_proxiable=bool(flags & 0x40),
        is_error=bool(flags & 0x20),
        is_retransmitted=bool(flags & 0x10),
        command_code=int(layer["diameter.cmd.code"]),
        application_id=int(layer["diameter.applicationId"]),
        hop_by_hop=int(layer["diameter.hopbyhopid"], 16),
        end_to_end=int(layer["diameter.endtoendid"], 16),
        avps=_avps(layer),
        is_tls=is_tls,
    )


def _avps(tree: Layer) -> tuple[Avp, ...]:
    octets = _list(tree.get("diameter.avp"))
    details = _list(tree.get("diameter.avp_tree"))
    both = zip(octets, details, strict=False)
    return tuple(avp for pair in both if (avp := _read(_avp, pair)) is not None)


_NOT_A_VALUE: Final = ("diameter.avp", "diameter.flags", "diameter.avp_tree")


def _avp(pair: tuple[str, Layer]) -> Avp:
    octets, detail = pair
    name = next(
        (key for key in detail if key.startswith("diameter.") and not key.startswith(_NOT_A_VALUE)), "diameter.unknown"
    )
    members = detail.get(name + "_tree")
    return Avp(
        name=name.removeprefix("diameter."),
        code=int(detail["diameter.avp.code"]),
        vendor_id=int(detail.get("diameter.avp.vendorId", 0)),
        value=_first(detail.get(name)),
        octets=bytes.fromhex(_octets(octets)).hex(),
        children=_avps(members) if isinstance(members, dict) else (),
    )


def _sip(frame: Frame, layer: Layer) -> SipMessage | None:
    if "sip.msg_hdr" not in layer:
        return None
    request = layer.get("sip.Request-Line_tree") or {}
    status = layer.get("sip.Status-Line_tree") or {}
    line = str(layer.get("sip.Status-Line") or layer.get("sip.Request-Line") or "")
    head = str(layer["sip.msg_hdr"])
    body = layer.get("sip.msg_body")
    return SipMessage(
        frame=frame,
        method=str(request.get("sip.Method", "")),
        uri=str(request.get("sip.r-uri", "")),
        status=int(status.get("sip.Status-Code", 0)),
        reason=line.split(" ", 2)[2] if status and line.count(" ") >= 2 else "",
        headers=header_lines(head),
        text=line + "\r\n" + head + (_text_of(body) if body else ""),
    )


def _text_of(body: Any) -> str:
    text = _first(body)
    try:
        return bytes.fromhex(_octets(text)).decode("latin-1")
    except ValueError:
        return text


def header_lines(head: str) -> dict[str, tuple[str, ...]]:
    """Return headers by lower-case name; a folded line continues the one before (RFC 3261 §7.3.1)."""
    headers: dict[str, tuple[str, ...]] = {}
    unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ")
    for line in unfolded.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            key = _COMPACT.get(key, key)
            headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def _http(frame: Frame, layer: Layer) -> HttpMessage | None:
    method = next(_find(layer, "http.request.method"), "")
    status = next(_find(layer, "http.response.code"), "")
    if not method and not status:
        return None
    lines = [*_list(layer.get("http.request.line")), *_list(layer.get("http.response.line"))]
    headers = {name.lower(): tuple_[0] for name, tuple_ in header_lines("".join(map(str, lines))).items()}
    return HttpMessage(
        frame=frame,
        method=method,
        path=next(_find(layer, "http.request.uri"), ""),
        status=int(status or 0),
        headers=headers,
        body=_first(layer.get("http.file_data")),
    )
