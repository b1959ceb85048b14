"""A storm's capture many times over: as large a capture as is wanted, from a small one of the real lab.

Each copy is later than the one before, its TCP connections come from other ports, so that they are connections of their
own (their TLS secrets stay those of the original), and its Call-IDs are others.  Everything else is as it was captured.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
ETHERNET_OCTETS: Final = 14
TCP, UDP = 6, 17
FIRST_PORT: Final = 1024
_CALL_ID: Final = b"\r\nCall-ID: "


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a pcapng file (draft-ietf-opsawg-pcapng §3.1)."""

    kind: int
    octets: bytes


def blocks_of(file: Path) -> Iterator[Block]:
    """Yield the blocks of a little-endian pcapng file."""
    octets, position = file.read_bytes(), 0
    while position + 12 <= len(octets):
        kind, length = struct.unpack_from("<II", octets, position)
        yield Block(kind, octets[position : position + length])
        position += length


def multiply(source: Path, target: Path, copies: int) -> None:
    """Write a capture that holds the packets of another so many times, one copy after the other."""
    blocks = list(blocks_of(source))
    packets = [block.octets for block in blocks if block.kind == PACKET]
    times = [_time(octets) for octets in packets]
    length = max(times) - min(times) + 60_000_000
    ports = _Ports()
    with target.open("wb") as stream:
        for block in blocks:
            if block.kind in (SECTION, INTERFACE):
                stream.write(block.octets)
        for copy in range(copies):
            for octets, moment in zip(packets, times, strict=True):
                stream.write(_changed(octets, moment + copy * length, copy, ports))


class _Ports:
    """A port of its own for each connection of each copy, from one client to one server."""

    def __init__(self) -> None:
        self._given: dict[tuple[int, bytes, bytes, int, int], int] = {}
        self._next: dict[tuple[bytes, bytes, int], int] = {}

    def of(self, copy: int, client: bytes, server: bytes, port: int, server_port: int) -> int:
        """Return the port that stands for a client's port in one copy."""
        key = (copy, client, server, port, server_port)
        if key not in self._given:
            ends = (client, server, server_port)
            given = self._next.get(ends, FIRST_PORT)
            # Not the port of any server: tshark tells protocols by them.
            while given in (3868, 5060, 5868, 6060):
                given += 1
            self._given[key], self._next[ends] = given, given + 1
        return self._given[key]


def _time(octets: bytes) -> int:
    high, low = struct.unpack_from("<II", octets, 12)
    return (int(high) << 32) | int(low)


def _changed(octets: bytes, moment: int, copy: int, ports: _Ports) -> bytes:
    changed = bytearray(octets)
    struct.pack_into("<II", changed, 12, moment >> 32, moment & 0xFFFFFFFF)
    packet = 28 + ETHERNET_OCTETS
    if copy == 0 or octets[packet - 2 : packet] != b"\x08\x00":
        return bytes(changed)
    header = packet + 4 * (octets[packet] & 15)
    source, destination = octets[packet + 12 : packet + 16], octets[packet + 16 : packet + 20]
    if octets[packet + 9] == TCP:
        here, there = struct.unpack_from("!HH", octets, header)
        if there < here:
            struct.pack_into("!H", changed, header, ports.of(copy, source, destination, here, there))
        else:
            struct.pack_into("!H", changed, header + 2, ports.of(copy, destination, source, there, here))
    elif octets[packet + 9] == UDP:
        start = changed.find(_CALL_ID, header)
        if start >= 0:
            start += len(_CALL_ID)
            changed[start : start + 6] = f"{copy:06d}".encode()
    return bytes(changed)
