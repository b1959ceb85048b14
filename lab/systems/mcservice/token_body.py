"""The access token in a third-party REGISTER: message/sip, in it mcptt-info, maybe among others (TS 24.379 §7.3.2).

The XML is the UE's: no document type, a bounded size, and only two elements are looked for.
"""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Final

from lab.systems.mcservice.errors import Malformed, NotAuthorised
from lab.systems.mcservice.sip import Request, parse_headers, parse_request

MESSAGE_SIP: Final = "message/sip"
MCPTT_INFO: Final = "application/vnd.3gpp.mcptt-info+xml"
PARTS_MAX: Final = 16
DOCUMENT_OCTETS_MAX: Final = 32768
_NAMESPACE: Final = "{urn:3gpp:ns:mcpttInfo:1.0}"
_BOUNDARY: Final = re.compile(r';\s*boundary="?([0-9A-Za-z\'()+_,\-./:=? ]{1,70})"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TokenBody:
    """What a UE says in its REGISTER."""

    access_token: str
    client_id: str


def token_body(third_party: Request) -> TokenBody:
    """Return what the REGISTER inside a third-party REGISTER says.

    Raises:
        Malformed: a body is not what its type says.
        NotAuthorised: there is no access token.
    """
    for kind, octets in _parts(third_party.header("content-type"), third_party.body):
        if kind == MESSAGE_SIP:
            register = parse_request(octets)
            if register.method != "REGISTER":
                raise Malformed("the message inside is no REGISTER")
            return _token_of(register)
    raise NotAuthorised("token-missing", "the third-party REGISTER holds no REGISTER of a UE")


def _token_of(register: Request) -> TokenBody:
    for kind, octets in _parts(register.header("content-type"), register.body):
        if kind == MCPTT_INFO:
            return _read(octets)
    raise NotAuthorised("token-missing", "the UE's REGISTER holds no mcptt-info")


def _parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Return a body as its parts (RFC 2046 §5.1); one that is not multipart is its own part."""
    kind = content_type.partition(";")[0].strip().lower()
    if not kind.startswith("multipart/"):
        return [(kind, body)]
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Malformed("multipart without a boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + found[1].encode())[1:]
    if not pieces or not pieces[-1].startswith(b"--") or len(pieces) > PARTS_MAX:
        raise Malformed("multipart without its end, or of too many parts")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> tuple[str, bytes]:
    head, separator, body = piece.partition(b"\r\n\r\n")
    if not separator:
        raise Malformed("a part without an end of headers")
    try:
        lines = [line for line in head.decode().split("\r\n") if line.strip()]
    except UnicodeDecodeError as exc:
        raise Malformed("the headers of a part are no UTF-8") from exc
    return parse_headers(lines).get("content-type", ("",))[0].partition(";")[0].strip().lower(), body


def _read(octets: bytes) -> TokenBody:
    if len(octets) > DOCUMENT_OCTETS_MAX or b"<!" in octets:
        raise Malformed("mcptt-info is too large, or has a document type")
    try:
        root = ElementTree.fromstring(octets)  # noqa: S314 - no document type, so no entities; bounded
    except (ElementTree.ParseError, ValueError, LookupError) as exc:
        raise Malformed("mcptt-info is no XML") from exc
    values = {
        name: (root.findtext(f"{_NAMESPACE}mcptt-Params/{_NAMESPACE}{name}/{_NAMESPACE}mcpttString") or "").strip()
        for name in ("mcptt-access-token", "mcptt-client-id")
    }
    if root.tag != f"{_NAMESPACE}mcpttinfo":
        raise Malformed("mcptt-info has another root")
    if not values["mcptt-access-token"]:
        raise NotAuthorised("token-missing", "mcptt-info holds no access token")
    return TokenBody(values["mcptt-access-token"], values["mcptt-client-id"][:255])
