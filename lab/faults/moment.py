"""Whether an Ethernet frame carries a message: for faults that begin while it is on its way.

It only finds a moment; what a capture shows is judged by tshark alone.  SIP over UDP and TCP, and Diameter in clear,
are seen where a segment begins with the message.  Pure.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

IPV4: Final = b"\x08\x00"
TCP, UDP = 6, 17
DIAMETER_HEADER_OCTETS: Final = 20
REQUEST_BIT: Final = 0x80
# TS 29.229 §6.1: the letters of a command, then R for the request and A for the answer.
COMMANDS: Final = {"UA": 300, "SA": 301, "LI": 302, "MA": 303, "RT": 304, "PP": 305}


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to look for: the message, and the addresses of sender and receiver (empty: any)."""

    message: str
    sender: str = ""
    receiver: str = ""


def carries(frame: bytes, pattern: Pattern) -> bool:
    """Return whether an Ethernet frame has the message, between these addresses where given."""
    if len(frame) < 34 or frame[12:14] != IPV4:
        return False
    if pattern.sender and _address(frame[26:30]) != pattern.sender:
        return False
    if pattern.receiver and _address(frame[30:34]) != pattern.receiver:
        return False
    payload = _payload(frame)
    if pattern.message[:2] in COMMANDS and pattern.message[2:] in ("R", "A"):
        wanted = (COMMANDS[pattern.message[:2]], pattern.message[2:] == "R")
        return wanted in _diameter(payload)
    if pattern.message.isdecimal():
        return payload.startswith(b"SIP/2.0 " + pattern.message.encode() + b" ")
    return payload.startswith(pattern.message.encode() + b" sip:")


def _address(octets: bytes) -> str:
    return ".".join(str(octet) for octet in octets)


def _payload(frame: bytes) -> bytes:
    transport = 14 + (frame[14] & 0x0F) * 4
    total = 14 + int.from_bytes(frame[16:18], "big")
    if frame[23] == UDP:
        return frame[transport + 8 : total]
    if frame[23] == TCP and len(frame) > transport + 12:
        return frame[transport + (frame[transport + 12] >> 4) * 4 : total]
    return b""


def _diameter(payload: bytes) -> Iterator[tuple[int, bool]]:
    """Yield command code and whether it is a request, of each message that begins in the payload (RFC 6733 §3)."""
    while len(payload) >= DIAMETER_HEADER_OCTETS and payload[0] == 1:
        (length,) = struct.unpack(">I", b"\0" + payload[1:4])
        yield int.from_bytes(payload[5:8], "big"), bool(payload[4] & REQUEST_BIT)
        if length < DIAMETER_HEADER_OCTETS:
            return
        payload = payload[length:]
