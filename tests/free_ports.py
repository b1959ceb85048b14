"""Ports for programs that cannot say which one they took: none that the kernel gives to somebody else meanwhile."""

import os
import random
import socket
from typing import Final

FIRST: Final = 10_000
LAST: Final = 29_999
"""Below ``net.ipv4.ip_local_port_range``, out of which every port 0 and every outgoing connection is served."""

_random = random.Random(os.urandom(8))
_given: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that this process has not been given before."""
    while True:
        port = _random.randint(FIRST, LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
