"""A frame with a message in it is recognised by its command, method or status, and by its ends."""

import struct
from ipaddress import ip_address

import pytest

from lab.faults.moment import TCP, UDP, Pattern, carries

PROXY, SCSCF = "10.77.2.14", "10.77.2.12"


def frame(payload: bytes, protocol: int, source: str = SCSCF, destination: str = PROXY) -> bytes:
    """An Ethernet II frame (IEEE 802.3 §3.2), IPv4 (RFC 791 §3.1), and UDP or TCP without options."""
    transport = bytes(8) if protocol == UDP else bytes(12) + b"\x50" + bytes(7)
    total = 20 + len(transport) + len(payload)
    ends = ip_address(source).packed + ip_address(destination).packed
    header = b"\x45\x00" + struct.pack(">H", total) + bytes(5) + bytes([protocol]) + bytes(2) + ends
    return bytes(12) + b"\x08\x00" + header + transport + payload + b"padding"


def diameter(code: int, *, request: bool, body: bytes = b"") -> bytes:
    """A header as in RFC 6733 §3."""
    length = 20 + len(body)
    return (
        b"\x01"
        + length.to_bytes(3, "big")
        + bytes([0xC0 if request else 0x40])
        + code.to_bytes(3, "big")
        + bytes(12)
        + body
    )


MAR = diameter(303, request=True, body=bytes(8))
MAA = diameter(303, request=False)
DWR = diameter(280, request=True)


@pytest.mark.parametrize(
    ("octets", "pattern", "found"),
    [
        (frame(MAR, TCP), Pattern("MAR"), True),
        (frame(DWR + MAR, TCP), Pattern("MAR"), True),
        (frame(MAA, TCP), Pattern("MAR"), False),
        (frame(MAA, TCP), Pattern("MAA"), True),
        (frame(MAR, TCP), Pattern("UAR"), False),
        (frame(MAR, TCP), Pattern("MAR", SCSCF, PROXY), True),
        (frame(MAR, TCP), Pattern("MAR", PROXY, SCSCF), False),
        (frame(MAR, TCP), Pattern("MAR", "", "10.77.2.15"), False),
        (frame(b"REGISTER sip:ims.mc2.lab SIP/2.0\r\n", UDP), Pattern("REGISTER"), True),
        (frame(b"SIP/2.0 401 Unauthorized\r\n", UDP), Pattern("401"), True),
        (frame(b"SIP/2.0 401 Unauthorized\r\n", TCP), Pattern("401"), True),
        (frame(b"SIP/2.0 200 OK\r\n", UDP), Pattern("401"), False),
        (frame(b"", TCP), Pattern("MAR"), False),
        (frame(MAR, 1), Pattern("MAR"), False),
        (bytes(60), Pattern("MAR"), False),
        (b"", Pattern("MAR"), False),
        (frame(b"\x01\x00\x00\x00" + MAR[4:], TCP), Pattern("SAR"), False),
    ],
)
def test_a_message_is_seen_in_its_frame_alone(octets: bytes, pattern: Pattern, found: bool) -> None:
    assert carries(octets, pattern) is found
