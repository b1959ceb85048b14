"""A Diameter message as text for people: ``diameter-proxy decode`` (RFC 6733 §3, §4; names from the dictionary).

Unless all is asked for, only values that are known to be no secret are shown, if they are as their format has them.  Of
everything else a number of octets is shown: one wrong bit in a header makes another AVP of CK, IK or XRES.
"""

from collections.abc import Iterator
from typing import Final

from diameter_proxy.diameter import commands
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.dictionary import AnyAvpType
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.formats import GROUPED, OCTET_STRING, WrongLength, WrongValue
from diameter_proxy.diameter.wire import AvpSpan, Header, decode_header, walk_avps

_Rows = frozenset[AnyAvpType]

ALL: Final[_Rows] = frozenset(d.ALL)
_TEXT_IN_OCTETS: Final[_Rows] = frozenset(
    {d.VISITED_NETWORK_IDENTIFIER, d.PATH, d.CONTACT, d.CALL_ID_SIP_HEADER, d.FROM_SIP_HEADER, d.TO_SIP_HEADER}
)
PLAIN: Final[_Rows] = _TEXT_IN_OCTETS | {
    row for row in d.ALL if row.format is not OCTET_STRING and row is not d.DIGEST_HA1
}
"""What holds no secret, wherever it lies but in a SIP-Auth-Data-Item."""
PLAIN_OF_VECTOR: Final[_Rows] = frozenset({d.SIP_ITEM_NUMBER, d.SIP_AUTHENTICATION_SCHEME})
"""In a SIP-Auth-Data-Item any other code may be that of a key with a wrong bit: 602 and 608 are next to XRES' 610."""
_SCHEMES: Final = frozenset({"digest-akav1-md5", "sip digest", "nass-bundled", "early-ims-security", "unknown"})
"""The values of SIP-Authentication-Scheme (TS 29.228 §6.3), in lower case."""
NUMBER_MAX: Final = 0xFFFF
"""Codes, vendors and numbers of AVPs of vendors are smaller; four octets of a key may stand in their place."""

_COMMANDS: Final = {(row.application_id, row.code, row.is_request): row for row in commands.ALL}
_FLAGS: Final = ((0x80, "R"), (0x40, "P"), (0x20, "E"), (0x10, "T"))
_AVP_FLAGS: Final = ((0x80, "V"), (0x40, "M"), (0x20, "P"))


def describe(octets: bytes, *, show_secrets: bool = False) -> Iterator[str]:
    """Yield a line for the header and one for each AVP, those inside a group indented.

    Raises:
        DiameterError: there is no header; what cannot be read further in ends in a line that says so.
    """
    yield from _describe_header(decode_header(octets), len(octets), show_secrets)
    yield from _describe_avps(octets, 20, len(octets), 1, ALL if show_secrets else PLAIN)


def _describe_header(header: Header, octets: int, show_secrets: bool) -> Iterator[str]:
    command = _COMMANDS.get((header.application_id, header.command_code, header.is_request))
    if command is None and header.length != octets and not show_secrets:  # the middle of a message, perhaps
        yield f"! no header: neither a command nor the length of {octets} octets (--show-secrets)"
        return
    flags = "".join(letter for bit, letter in _FLAGS if header.flags & bit) or "-"
    yield (
        f"{command.name if command else header.command_code} flags={flags} application={header.application_id} "
        f"hop_by_hop={header.hop_by_hop:08x} end_to_end={header.end_to_end:08x} length={header.length}"
    )
    if header.length != octets:
        yield f"! length field {header.length}, message has {octets} octets"


def _describe_avps(octets: bytes, start: int, end: int, depth: int, shown: _Rows) -> Iterator[str]:
    indent = "  " * depth
    try:
        for span in walk_avps(octets, start, end):
            row = d.BY_KEY.get((span.code, span.vendor_id))
            flags = "".join(letter for bit, letter in _AVP_FLAGS if span.flags & bit) or "-"
            line = f"{indent}{_name(span, row, shown)} [{flags}]"
            if row is not None and row.format is GROUPED and row in shown:
                yield line
                yield from _describe_avps(octets, span.value, span.end, depth + 1, _shown_inside(row, shown))
            else:
                yield f"{line} {_value(octets[span.value : span.end], row, shown)}"
    except DiameterError as exc:
        yield f"{indent}! {exc}"


def _shown_inside(row: AnyAvpType, shown: _Rows) -> _Rows:
    return PLAIN_OF_VECTOR if row is d.SIP_AUTH_DATA_ITEM and shown is not ALL else shown


def _name(span: AvpSpan, row: AnyAvpType | None, shown: _Rows) -> str:
    if row is not None:
        return row.name
    if shown is not ALL and max(span.code, span.vendor_id) > NUMBER_MAX:
        return f"AVP of a code or a vendor over {NUMBER_MAX}"
    return f"AVP {span.code}" + (f" of vendor {span.vendor_id}" if span.vendor_id else "")


def _value(data: bytes, row: AnyAvpType | None, shown: _Rows) -> str:
    unsaid = data.hex() if shown is ALL else f"({len(data)} octets, --show-secrets)"
    if row is None or row not in shown:
        return unsaid
    try:
        value = row.format.decode(data)
        return _whole(value) if shown is ALL else _plain(value, row)
    except (WrongLength, WrongValue):  # their texts quote the value
        return f"{unsaid} ! no {'' if shown is ALL else 'plain '}{row.format.name}"


def _whole(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, str) else str(value)


def _plain(value: object, row: AnyAvpType) -> str:
    """Return a value that is what its AVP may have.

    Raises:
        WrongValue: a text holds what is no text, headers of AVPs perhaps, or is no authentication scheme; a number of a
            vendor's AVP may be an XRES of four octets.
    """
    if row.vendor_id and isinstance(value, int) and not 0 <= value <= NUMBER_MAX:
        raise WrongValue("no plain number")
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if not text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text:
        raise WrongValue("no plain text")
    if row is d.SIP_AUTHENTICATION_SCHEME and text.lower() not in _SCHEMES:
        raise WrongValue("no authentication scheme")
    return repr(text) if isinstance(value, bytes | str) else text
