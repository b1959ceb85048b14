"""A Diameter message as text for people: ``diameter-proxy decode`` (RFC 6733 §3, §4; names from the dictionary).

CK, IK and what authenticates a user are shown as a number of octets unless they are asked for.
"""

from collections.abc import Iterator
from typing import Final

from diameter_proxy.diameter import commands, dictionary
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.formats import GROUPED, Format, WrongLength, WrongValue
from diameter_proxy.diameter.wire import AvpSpan, decode_header, walk_avps

SECRETS: Final = frozenset({dictionary.CONFIDENTIALITY_KEY.code, dictionary.INTEGRITY_KEY.code,
                            dictionary.SIP_AUTHORIZATION.code, dictionary.DIGEST_HA1.code})  # fmt: skip
_COMMANDS: Final = {(row.application_id, row.code, row.is_request): row for row in commands.ALL}
_FLAGS: Final = ((0x80, "R"), (0x40, "P"), (0x20, "E"), (0x10, "T"))
_AVP_FLAGS: Final = ((0x80, "V"), (0x40, "M"), (0x20, "P"))


def describe(octets: bytes, *, show_secrets: bool = False) -> Iterator[str]:
    """Yield a line for the header and one for each AVP, those inside a group indented.

    Raises:
        DiameterError: there is no header; what cannot be read further in ends in a line that says so.
    """
    header = decode_header(octets)
    command = _COMMANDS.get((header.application_id, header.command_code, header.is_request))
    flags = "".join(letter for bit, letter in _FLAGS if header.flags & bit) or "-"
    yield (
        f"{command.name if command else header.command_code} flags={flags} application={header.application_id} "
        f"hop_by_hop={header.hop_by_hop:08x} end_to_end={header.end_to_end:08x} length={header.length}"
    )
    if header.length != len(octets):
        yield f"! length field {header.length}, message has {len(octets)} octets"
    yield from _describe_avps(octets, 20, len(octets), 1, show_secrets)


def _describe_avps(octets: bytes, start: int, end: int, depth: int, show_secrets: bool) -> Iterator[str]:
    indent = "  " * depth
    try:
        for span in walk_avps(octets, start, end):
            row = dictionary.BY_KEY.get((span.code, span.vendor_id))
            flags = "".join(letter for bit, letter in _AVP_FLAGS if span.flags & bit) or "-"
            name = row.name if row else f"AVP {span.code}" + (f" of vendor {span.vendor_id}" if span.vendor_id else "")
            if row is not None and row.format is GROUPED:
                yield f"{indent}{name} [{flags}]"
                yield from _describe_avps(octets, span.value, span.end, depth + 1, show_secrets)
            else:
                yield f"{indent}{name} [{flags}] {_value(octets, span, row.format if row else None, show_secrets)}"
    except DiameterError as exc:
        yield f"{indent}! {exc}"


def _value(octets: bytes, span: AvpSpan, format_: "Format[object] | None", show_secrets: bool) -> str:
    data = octets[span.value : span.end]
    if span.code in SECRETS and not show_secrets:
        return f"({len(data)} octets, --show-secrets)"
    if format_ is not None:
        try:
            value = format_.decode(data)
        except (WrongLength, WrongValue) as exc:
            return f"{data.hex()} ! {exc}"
        return value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, str) else str(value)
    return data.hex()
