"""What the routers share: who asks, as it goes to the audit trail, and how the name of a binding looks."""

from typing import Final

from fastapi import Request

from mmserver.http.access import client_names

HANDLE: Final = r"^[A-Za-z0-9_.\-]+$"
HANDLE_OR_NONE: Final = r"^[A-Za-z0-9_.\-]*$"


def actor_of(request: Request) -> str:
    """Return the verified names of the client, for the audit trail."""
    return ",".join(sorted(client_names(request))) or "nobody"
