"""What the container of a host is: its image, what it may do, and what of the run it sees.

Shared by the containers runtime and by ``lab/compose.yaml``.  Pure.
"""

from collections.abc import Sequence
from typing import Final

KAMAILIO: Final = "mclab-kamailio"
PYTHON: Final = "mclab-python"
IMAGES: Final = (KAMAILIO, PYTHON)
CSCFS: Final = ("pcscf", "icscf", "scscf")
_OF_DEBIAN: Final = frozenset({"kamailio", "freeDiameterd"})
_SERVES_HTTPS: Final = frozenset({"mms", "mms2", "cms", "idms"})
_SHARES_STORES: Final = frozenset({"mms", "mms2"})


def image(argv: Sequence[str]) -> str:
    """Return the image that holds a program: what Debian has for SIP and Diameter is in one, all else in the other.

    freeDiameter is started by a shell that has its name as ``$0``.
    """
    return PYTHON if _OF_DEBIAN.isdisjoint(argv) else KAMAILIO


def capabilities(role: str) -> tuple[str, ...]:
    """Return the only capabilities of a role: a server on port 443 may bind it, others have none (capabilities(7))."""
    return ("NET_BIND_SERVICE",) if role in _SERVES_HTTPS else ()


def folders(host: str, role: str) -> dict[str, bool]:
    """Return the folders of a run that a host sees, and whether it may write there.

    One command of an MMS brings the stores of all up to date.  Kamailio keeps tables and its control socket beside its
    configuration.
    """
    seen = {"etc": False, "tls": False, "keys": True}
    if role in CSCFS:
        return seen | {f"etc/{host}": True}
    return seen | {"state" if role in _SHARES_STORES else f"state/{host}": True}
