"""A slow piece of cable: Ethernet frames pass between two TAP interfaces, each so much later, in their order.

    python -m lab.faults.forwarder TAP TAP DELAY_MS JITTER_MS

tc netem would do this, but kernels without sch_netem are common in virtual machines; this works on any with TUN/TAP.
The interfaces are gone when the program ends.
"""

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

TUNSETIFF: Final = 0x400454CA
IFF_TAP_NO_PI: Final = 0x0002 | 0x1000
FRAME_OCTETS_MAX: Final = 1 << 16
FRAMES_HELD_MAX: Final = 100_000
"""Frames on their way at once; what comes over it is lost, as in a full queue."""


class SlowWay:
    """One direction: frames wait until they are due, and none overtakes another."""

    def __init__(self, delay_s: float, jitter_s: float, chance: random.Random) -> None:
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._chance = chance
        self._waiting: deque[tuple[float, bytes]] = deque()

    def put(self, frame: bytes, now_s: float) -> None:
        """Take a frame in."""
        if len(self._waiting) >= FRAMES_HELD_MAX:
            return
        due_s = now_s + self._delay_s + self._chance.uniform(-self._jitter_s, self._jitter_s)
        last_s = self._waiting[-1][0] if self._waiting else 0.0
        self._waiting.append((max(due_s, last_s), frame))

    def due(self, now_s: float) -> list[bytes]:
        """Return the frames that leave now."""
        leaving = []
        while self._waiting and self._waiting[0][0] <= now_s:
            leaving.append(self._waiting.popleft()[1])
        return leaving

    @property
    def next_s(self) -> float | None:
        """When the next one leaves, None when there is none."""
        return self._waiting[0][0] if self._waiting else None


def main(arguments: Sequence[str]) -> int:
    """Forward until ended."""
    first, second, delay_ms, jitter_ms = arguments
    ends = (_tap(first), _tap(second))
    chance = random.Random()  # noqa: S311 - jitter, not a secret
    ways = [SlowWay(float(delay_ms) / 1000, float(jitter_ms) / 1000, chance) for _ in ends]
    print(json.dumps({"event": "ready"}), flush=True)
    while True:
        due_s = min((way.next_s for way in ways if way.next_s is not None), default=None)
        patience_s = None if due_s is None else max(0.0, due_s - time.monotonic())
        for readable in select.select(ends, [], [], patience_s)[0]:
            ways[ends.index(readable)].put(_read(readable), time.monotonic())
        for way, other in zip(ways, reversed(ends), strict=True):
            for frame in way.due(time.monotonic()):
                _write(other, frame)


def _tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP_NO_PI))
    return descriptor


def _read(descriptor: int) -> bytes:
    return os.read(descriptor, FRAME_OCTETS_MAX)


def _write(descriptor: int, frame: bytes) -> None:
    try:
        os.write(descriptor, frame)
    except OSError:
        return  # the interface is not up, or its queue is full: lost, as on any cable


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
