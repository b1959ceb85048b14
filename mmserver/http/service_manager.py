"""What systemd is told: that we are ready, that we stop (sd_notify(3)); nothing where it did not start us."""

import contextlib
import os
import socket
from typing import Final

ADDRESS: Final = "NOTIFY_SOCKET"


def notify(state: str) -> bool:
    """Send a line such as ``READY=1`` to the service manager; say whether there is one that took it."""
    address = os.environ.get(ADDRESS, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(state.encode(), address)
        return True
    return False
