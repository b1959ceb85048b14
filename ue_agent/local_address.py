"""Which of our addresses routes to a P-CSCF: asked of the kernel, nothing is sent."""

import re
import socket
from typing import Final, NamedTuple

from ue_agent.errors import StackError

SIP_PORT: Final = 5060
_ROUTE = re.compile(r"sip:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::([0-9]{1,5}))?(?:;.*)?")


class HostPort(NamedTuple):
    """Where a SIP URI leads."""

    host: str
    port: int


def host_and_port(uri: str) -> HostPort:
    """Return host and port of a SIP URI without user part (RFC 3261 §19.1.1).

    Raises:
        StackError: it is none.
    """
    match = _ROUTE.fullmatch(uri)
    if match is None or not 0 < int(match[2] or SIP_PORT) <= 65535:
        raise StackError(f"{uri[:80]!r} is not the SIP URI of a P-CSCF")
    return HostPort(match[1].strip("[]"), int(match[2] or SIP_PORT))


def local_address_toward(uri: str) -> str:
    """Return the source address of datagrams to the P-CSCF ``uri``.

    Raises:
        StackError: its name does not resolve, or no route leads there.
    """
    host, port = host_and_port(uri)
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError as exc:
        raise StackError(f"no route to the P-CSCF {host}: {exc.strerror or exc}") from exc
