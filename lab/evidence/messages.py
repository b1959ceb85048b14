"""What a capture holds, as values: SIP, Diameter and HTTP messages, certificates shown, and raw payloads.

Nothing here judges, and nothing here decodes octets of a protocol: tshark did (lab.evidence.packets).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


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
        """Return tshark's text of the first AVP with this code: at the top level, else inside a group."""
        found = next((avp.value for avp in self.avps if avp.code == code), None)
        return found if found is not None else next((a.value for a in walk(self.avps) if a.code == code), None)

    @property
    def result_code(self) -> int | None:
        """Result-Code (268) or Experimental-Result-Code (298)."""
        text = self.value(268) or self.value(298) or ""
        return int(text) if text.isdecimal() else None

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


class Rtp(NamedTuple):
    """A packet of RTP (RFC 3550 §5.1), which tshark knows from the SDP before it: its source and sequence number."""

    ssrc: int
    sequence: int


class Payload(NamedTuple):
    """What one frame carried over TCP or UDP, as it was on the wire: ciphertext where it was TLS."""

    frame: Frame
    octets: bytes
    rtp: Rtp | None = None


class Certificate(NamedTuple):
    """A certificate shown in a TLS handshake: by whom, in which stream, with which DNS names (leaf first)."""

    frame: Frame
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """All that was seen, in the order of frames; ``payloads`` has every frame that carried octets.

    ``broken`` are the TCP frames with RST or FIN.
    """

    sip: tuple[SipMessage, ...] = ()
    diameter: tuple[DiameterMessage, ...] = ()
    http: tuple[HttpMessage, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    payloads: tuple[Payload, ...] = ()
    broken: tuple[Frame, ...] = ()


def walk(avps: Iterable[Avp]) -> Iterator[Avp]:
    """Yield AVPs depth first, each group before its members."""
    for avp in avps:
        yield avp
        yield from walk(avp.children)
