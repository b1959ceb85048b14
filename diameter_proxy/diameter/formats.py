"""Values between Python and the data of one AVP (RFC 6733 §4.2, §4.3)."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
EnumT = TypeVar("EnumT", bound=IntEnum)

_IDENTITY: Final = re.compile(r"[!-~]+")
_FAMILY: Final = {1: 4, 2: 16}  # AddressType and octets (RFC 6733 §4.3.1, IANA address family numbers)


class WrongLength(Exception):
    """The data has a length that its format cannot have: INVALID_AVP_LENGTH."""


class WrongValue(Exception):
    """The data has the right length and no meaning: INVALID_AVP_VALUE."""


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """How values of one type are written.

    Attributes:
        octets_min: the least number of octets of data, for the example in a Failed-AVP (RFC 6733 §7.5).
    """

    name: str
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    octets_min: int = 0


def _unchanged(value: bytes) -> bytes:
    return value


def _encode_text(value: str) -> bytes:
    return value.encode()


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise WrongValue("no UTF-8") from exc


def _encode_identity(value: str) -> bytes:
    return value.encode("ascii")


def _decode_identity(data: bytes) -> str:
    text = data.decode("ascii", "replace")
    if not _IDENTITY.fullmatch(text):
        raise WrongValue(f"{text!r} is no FQDN, realm or URI")
    return text


def _integer(octets: int, *, signed: bool) -> tuple[Callable[[int], bytes], Callable[[bytes], int]]:
    def encode(value: int) -> bytes:
        try:
            return int(value).to_bytes(octets, "big", signed=signed)
        except OverflowError as exc:
            raise ValueError(f"{value} does not fit {octets} octets") from exc

    def decode(data: bytes) -> int:
        if len(data) != octets:
            raise WrongLength(f"{len(data)} octets, wanted {octets}")
        return int.from_bytes(data, "big", signed=signed)

    return encode, decode


def _encode_address(value: IpAddress) -> bytes:
    return (1 if value.version == 4 else 2).to_bytes(2, "big") + value.packed


def _decode_address(data: bytes) -> IpAddress:
    family = int.from_bytes(data[:2], "big")
    if len(data) < 2 or family not in _FAMILY:
        raise WrongValue(f"address family {family}, wanted 1 or 2")
    if len(data) != 2 + _FAMILY[family]:
        raise WrongLength(f"{len(data) - 2} octets of address, wanted {_FAMILY[family]}")
    return ipaddress.ip_address(data[2:])


def enumerated(values: type[EnumT]) -> Format[EnumT]:
    """Return the Enumerated format of a closed set (RFC 6733 §4.3.1); other numbers are INVALID_AVP_VALUE."""

    def decode(data: bytes) -> EnumT:
        number = INTEGER_32.decode(data)
        try:
            return values(number)
        except ValueError as exc:
            raise WrongValue(f"{number} is no {values.__name__}") from exc

    return Format("Enumerated", INTEGER_32.encode, decode, 4)


# fmt: off
OCTET_STRING:      Final[Format[bytes]]     = Format("OctetString",      _unchanged,       _unchanged)
GROUPED:           Final[Format[bytes]]     = Format("Grouped",          _unchanged,       _unchanged)
UTF8_STRING:       Final[Format[str]]       = Format("UTF8String",       _encode_text,     _decode_text)
DIAMETER_IDENTITY: Final[Format[str]]       = Format("DiameterIdentity", _encode_identity, _decode_identity, 1)
DIAMETER_URI:      Final[Format[str]]       = Format("DiameterURI",      _encode_identity, _decode_identity, 1)
ADDRESS:           Final[Format[IpAddress]] = Format("Address",          _encode_address,  _decode_address, 6)
INTEGER_32:        Final[Format[int]]       = Format("Integer32",        *_integer(4, signed=True), 4)
UNSIGNED_32:       Final[Format[int]]       = Format("Unsigned32",       *_integer(4, signed=False), 4)
UNSIGNED_64:       Final[Format[int]]       = Format("Unsigned64",       *_integer(8, signed=False), 8)
# fmt: on
