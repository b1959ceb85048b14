"""What the routers share: who asks, as it goes to the audit trail, and how the name of a binding looks."""

from collections.abc import Callable, Iterable
from typing import Final

import structlog
from fastapi import Request

from mmserver.http.access import client_names
from mmserver.http.problems import CLIENT_NOT_ALLOWED, ProblemFound

HANDLE: Final = r"^[A-Za-z0-9_.\-]+$"
HANDLE_OR_NONE: Final = r"^[A-Za-z0-9_.\-]*$"

log = structlog.get_logger()


def actor_of(request: Request) -> str:
    """Return the verified names of the client, for the audit trail."""
    return ",".join(sorted(client_names(request))) or "nobody"


def administrators_only(names: Iterable[str]) -> Callable[[Request], None]:
    """Return what lets these clients through and no other that may call CSC-X, such as the CMS."""
    admitted = frozenset(name.lower() for name in names)

    def check(request: Request) -> None:
        if client_names(request) & admitted:
            return
        log.warning("client.refused", path=request.url.path, client_names=sorted(client_names(request)))
        kind = CLIENT_NOT_ALLOWED
        raise ProblemFound(kind.status, kind.name, kind.title, "this operation is for administrators")

    return check
