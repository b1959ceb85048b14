"""What tshark saw, as values: SIP, Diameter and HTTP messages, and who held which TLS certificate.

tshark is the only dissector: nothing here decodes octets of a protocol.  Header lines of SIP are split as text.
``WIRESHARK_CONFIG_DIR`` is our own folder: without it tshark 4.0 takes decrypted Diameter requests for Remote
Desktop (``rdpmt``).
"""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

WIRESHARK_FOLDER: Final = Path(__file__).parent / "wireshark"
DISSECT_TIMEOUT_S: Final = 120.0
_FILTER: Final = "sip || diameter || http || tls.handshake.type == 11"
_LAYERS: Final = "frame ip tcp udp tls sip diameter http"


class DissectionFailed(Exception):
    """tshark is missing, or could not read the capture."""


class Frame(NamedTuple):
    """Where and when: frame number, seconds since the epoch, addresses, ports, TCP stream (-1 for UDP)."""

    number: int
    time_s: float
    source: str
    destination: str
    source_port: int
    destination_port: int
    stream: int


class Avp(NamedTuple):
    """One AVP as tshark names it; ``octets`` is the whole AVP in hexadecimal, ``value`` tshark's text of it."""

    name: str
    code: int
    vendor_id: int
    value: str
    octets: str
    children: tuple["Avp", ...]


@dataclass(frozen=True, slots=True)
class DiameterMessage:
    """One Diameter message (RFC 6733 §3) on whichever transport, decrypted where it was TLS."""

    frame: Frame
    is_request: bool
    is_proxiable: bool
    is_error: bool
    is_retransmitted: bool
    command_code: int
    application_id: int
    hop_by_hop: int
    end_to_end: int
    avps: tuple[Avp, ...]
    is_tls: bool

    def all(self, code: int) -> tuple[Avp, ...]:
        """Return the AVPs with this code at the top level."""
        return tuple(avp for avp in self.avps if avp.code == code)

    def value(self, code: int) -> str | None:
        """Return tshark's text of the first AVP with this code, at any depth."""
        return next((avp.value for avp in walk(self.avps) if avp.code == code), None)

    @property
    def result_code(self) -> int | None:
        """Result-Code (268) or Experimental-Result-Code (298)."""
        text = self.value(268) or self.value(298)
        return int(text) if text else None

    @property
    def text(self) -> str:
        """All octets of the AVPs as Latin-1 text, for a search of identities."""
        return "".join(bytes.fromhex(avp.octets).decode("latin-1") for avp in self.avps)


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One SIP message (RFC 3261); header names in lower case, values in order."""

    frame: Frame
    method: str
    uri: str
    status: int
    reason: str
    headers: Mapping[str, tuple[str, ...]]
    text: str

    @property
    def is_request(self) -> bool:
        return self.status == 0

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty text."""
        values = self.headers.get(name.lower(), ())
        return values[0] if values else ""

    @property
    def call_id(self) -> str:
        return self.header("call-id")

    @property
    def cseq(self) -> tuple[int, str]:
        """CSeq number and method; (0, "") when there is none."""
        number, _, method = self.header("cseq").partition(" ")
        return (int(number), method.strip()) if number.isdigit() else (0, "")


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """One HTTP request or response, its body as text."""

    frame: Frame
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def is_request(self) -> bool:
        return self.status == 0

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, or an empty one when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Certificate(NamedTuple):
    """A certificate shown in a TLS handshake: by whom, in which stream, with which DNS names (leaf first)."""

    frame: Frame
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """All that was seen, in the order of frames."""

    sip: tuple[SipMessage, ...] = ()
    diameter: tuple[DiameterMessage, ...] = ()
    http: tuple[HttpMessage, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    frames: int = field(default=0)


def walk(avps: Iterable[Avp]) -> Iterator[Avp]:
    """Yield AVPs depth first, each group before its members."""
    for avp in avps:
        yield avp
        yield from walk(avp.children)


def run_tshark(capture: Path, *arguments: str, config: Path | None = None) -> str:
    """Return tshark's standard output on ``capture``.

    Raises:
        DissectionFailed: tshark is missing, was too slow, or cannot read the file.
    """
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(config or WIRESHARK_FOLDER)}
    try:
        done = subprocess.run(
            ["tshark", "-n", "-r", str(capture), *arguments],
            env=environment, capture_output=True, text=True, errors="replace", timeout=DISSECT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise DissectionFailed("tshark is not installed: run make set-up") from None
    except subprocess.TimeoutExpired:
        raise DissectionFailed(f"tshark took over {DISSECT_TIMEOUT_S:.0f} s on {capture}") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
        raise DissectionFailed(f"tshark cannot read {capture}: {lines[-1] if lines else 'no reason given'}")
    return done.stdout


def dissect(capture: Path, *, key_log: Path | None = None, config: Path | None = None) -> Capture:
    """Return what tshark sees in ``capture``; TLS secrets come from the file itself or from ``key_log``.

    Raises:
        DissectionFailed: the file is missing, is no capture, or tshark failed.
    """
    if not capture.is_file():
        raise DissectionFailed(f"{capture}: no such capture")
    keys = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    text = run_tshark(capture, *keys, "-Y", _FILTER, "-T", "json", "--no-duplicate-keys", "-J", _LAYERS, config=config)
    try:
        packets = json.loads(text) if text.strip() else []
    except ValueError as exc:
        raise DissectionFailed(f"tshark's output for {capture} is no JSON: {exc}") from exc
    return read_packets(packet["_source"]["layers"] for packet in packets)


def read_packets(packets: Iterable[Mapping[str, Any]]) -> Capture:
    """Return the messages in tshark's JSON layers."""
    sip: list[SipMessage] = []
    diameter: list[DiameterMessage] = []
    http: list[HttpMessage] = []
    certificates: list[Certificate] = []
    count = 0
    for layers in packets:
        frame = _frame(layers)
        if frame is None:
            continue
        count += 1
        sip += [_sip(frame, layer) for layer in _layers(layers, "sip") if "sip.msg_hdr" in layer]
        diameter += [
            _diameter(frame, layer, is_tls="tls" in layers)
            for layer in _layers(layers, "diameter")
            if "diameter.cmd.code" in layer
        ]
        http += [message for layer in _layers(layers, "http") if (message := _http(frame, layer)) is not None]
        names = tuple(name for tls in _layers(layers, "tls") for name in _find(tls, "x509ce.dNSName"))
        if names:
            certificates.append(Certificate(frame, names))
    return Capture(tuple(sip), tuple(diameter), tuple(http), tuple(certificates), count)


def _layers(layers: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
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


def _frame(layers: Mapping[str, Any]) -> Frame | None:
    frame, ip = layers.get("frame"), layers.get("ip")
    transport = layers.get("tcp") or layers.get("udp")
    # An ICMP error quotes the datagram that it is about: tshark dissects that copy too, and it is no message.
    if not (isinstance(frame, dict) and isinstance(ip, dict) and isinstance(transport, dict)):
        return None
    kind = "tcp" if "tcp" in layers else "udp"
    return Frame(
        number=int(frame["frame.number"]),
        time_s=float(frame["frame.time_epoch"]),
        source=_first(ip["ip.src"]),
        destination=_first(ip["ip.dst"]),
        source_port=int(transport[f"{kind}.srcport"]),
        destination_port=int(transport[f"{kind}.dstport"]),
        stream=int(transport["tcp.stream"]) if kind == "tcp" else -1,
    )


def _octets(colons: str) -> str:
    return colons.replace(":", "")


def _diameter(frame: Frame, layer: Mapping[str, Any], *, is_tls: bool) -> DiameterMessage:
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


def _avps(tree: Mapping[str, Any]) -> tuple[Avp, ...]:
    octets = _list(tree.get("diameter.avp"))
    details = _list(tree.get("diameter.avp_tree"))
    return tuple(_avp(whole, detail) for whole, detail in zip(octets, details, strict=False))


_NOT_A_VALUE: Final = ("diameter.avp", "diameter.flags", "diameter.avp_tree")


def _avp(octets: str, detail: Mapping[str, Any]) -> Avp:
    name = next(
        (key for key in detail if key.startswith("diameter.") and not key.startswith(_NOT_A_VALUE)), "diameter.unknown"
    )
    members = detail.get(name + "_tree")
    return Avp(
        name=name.removeprefix("diameter."),
        code=int(detail["diameter.avp.code"]),
        vendor_id=int(detail.get("diameter.avp.vendorId", 0)),
        value=_first(detail.get(name)),
        octets=_octets(octets),
        children=_avps(members) if isinstance(members, dict) else (),
    )


def _sip(frame: Frame, layer: Mapping[str, Any]) -> SipMessage:
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
        headers=_header_lines(head),
        text=line + "\r\n" + head + (_text_of(body) if body else ""),
    )


def _text_of(body: Any) -> str:
    text = _first(body)
    try:
        return bytes.fromhex(_octets(text)).decode("latin-1")
    except ValueError:
        return text


def _header_lines(head: str) -> dict[str, tuple[str, ...]]:
    """Return headers by lower-case name; a folded line continues the one before (RFC 3261 §7.3.1)."""
    headers: dict[str, tuple[str, ...]] = {}
    unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ")
    for line in unfolded.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def _http(frame: Frame, layer: Mapping[str, Any]) -> HttpMessage | None:
    method = next(_find(layer, "http.request.method"), "")
    status = next(_find(layer, "http.response.code"), "")
    if not method and not status:
        return None
    lines = [*_list(layer.get("http.request.line")), *_list(layer.get("http.response.line"))]
    headers = {name.lower(): tuple_[0] for name, tuple_ in _header_lines("".join(map(str, lines))).items()}
    return HttpMessage(
        frame=frame,
        method=method,
        path=next(_find(layer, "http.request.uri"), ""),
        status=int(status or 0),
        headers=headers,
        body=_first(layer.get("http.file_data")),
    )
