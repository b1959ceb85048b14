"""Key AVPs and headers of a message for people: what a step is about, never what opens a door.

Vectors, digest responses, tokens and passwords are shown as their length; the rest is cut to one line.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from lab.evidence.messages import Avp, DiameterMessage, HttpMessage, SipMessage, walk
from lab.evidence.texts import digest_parameters, form_of

Message: TypeAlias = HttpMessage | DiameterMessage | SipMessage
Fields: TypeAlias = tuple[tuple[str, str], ...]

VALUE_MAX: Final = 160
DEPTH_MAX: Final = 4
_COMMANDS: Final = {300: "UA", 301: "SA", 302: "LI", 303: "MA", 304: "RT", 305: "PP"}

# AVP code -> whether its value may be shown; else its length is (TS 29.229 §6.3, RFC 6733 §4.5).
_AVPS: Final[Mapping[int, bool]] = {
    264: True, 296: True, 293: True, 283: True, 1: True, 601: True, 602: True, 268: True, 298: True, 607: True,
    608: True, 609: False, 610: False, 625: False, 626: False,
}  # fmt: skip
_SIP_HEADERS: Final = ("from", "to", "contact", "expires", "cseq", "call-id", "p-associated-uri")
_DIGEST_SHOWN: Final = ("username", "realm", "uri", "algorithm", "qop")
_HTTP_MEMBERS: Final = frozenset({
    "mc_service_ids", "partner_mc_system", "primary_mc_system", "mc_system", "migration_management_server",
    "private_user_identity", "public_user_identities", "latitude", "longitude", "ecgi", "ncgi", "tracking_area",
    "home_domain", "p_cscf", "plmn", "cms", "idms_issuer", "valid_until", "state",
    "grant_type", "subject_token_type", "issued_token_type", "token_type", "expires_in", "scope", "audience",
    "type", "title", "status", "detail", "step",
})  # fmt: skip


def decoded_fields(message: Message) -> Fields:
    """Return names and values of what matters in a message, in its own order."""
    match message:
        case DiameterMessage():
            return tuple(_diameter(message))
        case SipMessage():
            return tuple(_sip(message))
        case HttpMessage():
            return tuple(_http(message))


def _diameter(message: DiameterMessage) -> Iterator[tuple[str, str]]:
    kind = _COMMANDS.get(message.command_code, str(message.command_code))
    flags = (
        ("R", message.is_request),
        ("P", message.is_proxiable),
        ("E", message.is_error),
        ("T", message.is_retransmitted),
    )
    yield "command", f"{kind}{'R' if message.is_request else 'A'} ({''.join(f for f, there in flags if there) or '-'})"
    yield "End-to-End, Hop-by-Hop", f"{message.end_to_end:#010x}, {message.hop_by_hop:#010x}"
    for avp in walk(message.avps):
        shown = _AVPS.get(avp.code)
        if shown is not None:
            yield avp.name, _cut(avp.value) if shown else f"{_value_octets(avp)} octets"


def _value_octets(avp: Avp) -> int:
    header = 12 if avp.vendor_id else 8
    length = int(avp.octets[10:16], 16)
    return length - header


def _sip(message: SipMessage) -> Iterator[tuple[str, str]]:
    if message.is_request:
        yield "request", _cut(f"{message.method} {message.uri}")
    else:
        yield "response", _cut(f"{message.status} {message.reason}")
    for name in _SIP_HEADERS:
        if message.header(name):
            yield name, _cut(message.header(name))
    for name in ("authorization", "www-authenticate"):
        given = digest_parameters(message.header(name))
        if given:
            yield name, _cut(", ".join(_digest(given)))


def _digest(given: Mapping[str, str]) -> Iterator[str]:
    for name, value in given.items():
        if name in _DIGEST_SHOWN:
            yield f'{name}="{value}"'
        elif name in ("nonce", "response", "auts"):
            yield f"{name}: {len(value)} characters" if value else f"{name} empty"


def _http(message: HttpMessage) -> Iterator[tuple[str, str]]:
    if message.is_request:
        yield "request", _cut(f"{message.method} {message.path.partition('?')[0]}")
    else:
        yield "response", str(message.status)
    yield from _members({**form_of(message), **message.json()})


def _members(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the members that may be shown; what the list does not name is never shown."""
    if isinstance(value, dict) and len(path) < DEPTH_MAX:
        for name, inner in value.items():
            yield from _members(inner, (*path, str(name)))
    elif path and path[-1] in _HTTP_MEMBERS and value not in (None, "", []):
        texts = value if isinstance(value, list) else [value]
        yield ".".join(path), _cut(", ".join(str(text) for text in texts if not isinstance(text, dict | list)))


def _cut(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= VALUE_MAX else line[: VALUE_MAX - 3] + "..."
