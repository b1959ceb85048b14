"""Who asks: the names of a client's certificate, as they go to the audit trail."""

from fastapi import Request

from mmserver.http.access import client_names


def actor_of(request: Request) -> str:
    """Return the verified names of the client, for the audit trail."""
    return ",".join(sorted(client_names(request))) or "nobody"
