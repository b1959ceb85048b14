"""Moments of a run written into its capture: a datagram that the router sends to every host's discard port (RFC 863).

The judge then needs no clock but the capture's to tell what happened before a fault, during it and after it, and a
person who opens the capture reads it there.
"""

from collections.abc import Mapping
from typing import Final

DISCARD_PORT: Final = 9
MOMENT: Final = "mclab moment: "
FAULT_BEGAN: Final = "mclab fault began: "
FAULT_ENDED: Final = "mclab fault ended: "
_SEND: Final = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for address in sys.argv[2:]:
    try:
        one.sendto(sys.argv[1].encode(), (address, %d))
    except OSError:
        pass
"""


def sending(python: str, text: str, broadcast_addresses: Mapping[str, str]) -> list[str]:
    """Return the command that writes a moment into the capture, on every system's network."""
    return [python, "-S", "-I", "-c", _SEND % DISCARD_PORT, text, *broadcast_addresses.values()]
