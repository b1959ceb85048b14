"""A program that waits for a message on the lab's bridges: ready, then ``seen`` once, then it ends.

    python -m lab.faults.watcher MESSAGE SENDER RECEIVER BRIDGE...      sender and receiver are addresses, - for any

It runs where the capture runs and reads what passes the bridges; it stops nothing and changes nothing.
"""

import json
import select
import socket
import sys
from collections.abc import Sequence
from typing import Final

from lab.faults.moment import Pattern, carries

ETH_P_ALL: Final = 3
FRAME_OCTETS_MAX: Final = 1 << 16
ANY: Final = "-"


def main(arguments: Sequence[str]) -> int:
    """Wait until the message is seen."""
    message, sender, receiver, *bridges = arguments
    pattern = Pattern(message, *("" if place == ANY else place for place in (sender, receiver)))
    listening = [_listen(bridge) for bridge in bridges]
    _tell("ready")
    while True:
        for one in select.select(listening, [], [])[0]:
            if carries(one.recv(FRAME_OCTETS_MAX), pattern):
                _tell("seen")
                return 0


def _listen(bridge: str) -> socket.socket:
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    one.bind((bridge, 0))
    # What a bridge passes from port to port comes up to the bridge itself only while it is promiscuous.
    membership = socket.if_nametoindex(bridge).to_bytes(4, sys.byteorder) + b"\x01\x00" + bytes(10)
    one.setsockopt(263, 1, membership)  # SOL_PACKET, PACKET_ADD_MEMBERSHIP: PACKET_MR_PROMISC (packet(7))
    return one


def _tell(event: str) -> None:
    print(json.dumps({"event": event}), flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
