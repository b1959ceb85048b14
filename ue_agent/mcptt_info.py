"""The body that asks for service authorisation in a REGISTER (TS 24.379 §7.2.1, Annex F.1)."""

from typing import Final
from xml.sax.saxutils import escape

MCPTT_INFO: Final = "application/vnd.3gpp.mcptt-info+xml"


def mcptt_info(access_token: str, client_id: str) -> bytes:
    """Return the document with an access token and the identity of the MCPTT client."""
    members = (("mcptt-access-token", access_token), ("mcptt-client-id", client_id))
    inside = "".join(
        f'<{name} type="Normal"><mcpttString>{escape(value)}</mcpttString></{name}>' for name, value in members
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>{inside}</mcptt-Params></mcpttinfo>'
    ).encode()
