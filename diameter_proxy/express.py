"""The express lane of the hot path: a MAR or MAA like one seen before passes without being walked again (10.6.2).

What an S-CSCF or an HSS sends is the same, octet for octet, from one user to the next, but for a few values: the
identifiers of the header, Session-Id, User-Name, Public-Identity, and what is inside the vector.  A **form** is such a
message with holes in place of those values (``forms``).  It is learnt from a message that went the whole way, through
``proxy``, ``migration`` and ``answer_path``: they are what this module means.  A message that fits a form has all that
they look at, apart from its values, and every question that depends on a value or on the moment is asked again.
Whatever does not fit, or has an answer that is not the common one, takes the whole way.

Here is what is asked of identities.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

import re
from struct import Struct
from typing import Final, Protocol

from librt.strings import read_i32_le
from mypy_extensions import i64

from diameter_proxy.identity_map import COUNTERPART, IDENTITIES, LentSet

TELLING_OCTETS: Final = 8
"""A user part of so many octets is looked for without its domain: lent ones are random, that of an ISIM is an IMSI."""

_avp_head = Struct(">2I").pack
_vendor_avp_head = Struct(">3I").pack
_PADDING: Final = [b"", b"\0\0\0", b"\0\0", b"\0"]
escape_in: Final = re.compile(rb"%[0-9A-Fa-f]{2}").search
_ESCAPE: Final = re.compile(rb"%(?=[0-9A-Fa-f]{2})")


def _user_name_head(octets: int) -> bytes:
    return _avp_head(1, 0x40000000 | octets + 8)


def _public_identity_head(octets: int) -> bytes:
    return _vendor_avp_head(601, 0xC0000000 | octets + 12, 10415)


_SHORT: Final = 256
_USER_NAME_HEADS: Final = [_user_name_head(octets) for octets in range(_SHORT)]
_PUBLIC_IDENTITY_HEADS: Final = [_public_identity_head(octets) for octets in range(_SHORT)]
"""The heads of AVPs by the length of their data, made once."""


class ServerNameSource(Protocol):
    """What the lane needs of ``server_names``."""

    def of(self, impis: tuple[bytes, ...]) -> bytes: ...


class Limits(Protocol):
    """What the lane needs of the allow list and the token bucket of a peer."""

    @property
    def identity_domains(self) -> frozenset[bytes]: ...
    @property
    def requests_per_s(self) -> float: ...
    def take(self, now_s: float) -> bool: ...
    def put_back(self) -> None: ...


class ExpressWire(Protocol):
    """What the lane needs of a Diameter node."""

    def is_ready(self, peer: str) -> bool: ...
    def reserve_hop_by_hop(self, peer: str, count: int) -> int | None: ...
    def send_all(self, peer: str, octets: bytes, count: int) -> None: ...


def with_identities(user: bytes, public: bytes, lent: LentSet) -> tuple[bytes, bytes] | None:
    """Return the identities with which a request goes out, or None where that is not the common case."""
    identities, counterpart = lent[IDENTITIES], lent[COUNTERPART]
    if user != identities[0]:
        return None
    if len(counterpart) > 1 and public == identities[1] and public[:4] == b"sip:":
        other = counterpart[1]
    else:
        mapped = lent.counterpart_of(public)
        if mapped is None:
            return None
        other = mapped
    return (counterpart[0], other) if other[:4] == b"sip:" else None


def user_name_avp(value: bytes) -> bytes:
    """Return a User-Name AVP."""
    octets = len(value)
    head = _USER_NAME_HEADS[octets] if octets < _SHORT else _user_name_head(octets)
    return head + value + _PADDING[octets & 3]


def public_identity_avp(value: bytes) -> bytes:
    """Return a Public-Identity AVP."""
    octets = len(value)
    head = _PUBLIC_IDENTITY_HEADS[octets] if octets < _SHORT else _public_identity_head(octets)
    return head + value + _PADDING[octets & 3]


def folded(octets: bytes) -> bytes:
    """Return octets as identities are looked for in them: in lower case, and once more with percent escapes undone."""
    if octets.partition(b"%")[1] and escape_in(octets) is not None:
        return (octets + unescaped(octets)).lower()
    return octets.lower()


def unescaped(octets: bytes) -> bytes:
    """Return octets with their percent escapes undone (RFC 3986 §2.1), as ``urllib.parse.unquote_to_bytes`` does.

    Made of them a message of 64 KiB would take that function milliseconds: it makes two objects of each.
    """
    marked = _ESCAPE.sub(rb"\\x", octets.replace(b"\\", b"\\\\"))
    return marked.decode("unicode_escape").encode("latin-1")


def bare_identity(identity: bytes) -> bytes:
    """Return an identity without its scheme."""
    return identity[4:] if identity[:4] == b"sip:" or identity[:4] == b"tel:" else identity


def holds_text(data: bytes, values: bytes) -> bool:
    """Say whether ``TELLING_OCTETS`` graphic octets side by side have part in one of the values in octets.

    Graphic are "!" to "~".  ``values`` has for each where it begins and where it ends, as little-endian numbers of 32
    bits; they lie in the octets.  One octet in eight is looked at, and the last one: so many cannot lie between.
    """
    pair: i64 = 0
    while pair < len(values):
        at: i64 = i64(read_i32_le(values, pair))
        last: i64 = i64(read_i32_le(values, pair + 4)) - 1
        while at <= last:
            if 0x20 < data[at] < 0x7F and _is_text_at(data, at):
                return True
            if at == last:
                break
            at += TELLING_OCTETS
            if at > last:
                at = last
        pair += 8
    return False


def _is_text_at(data: bytes, at: i64) -> bool:
    """Say whether ``TELLING_OCTETS`` graphic octets stand side by side, of which this graphic one is one."""
    octets: i64 = len(data)
    first: i64 = at
    while first > 0 and at - first < TELLING_OCTETS and 0x20 < data[first - 1] < 0x7F:
        first -= 1
    end: i64 = at + 1
    while end < octets and end - first < TELLING_OCTETS and 0x20 < data[end] < 0x7F:
        end += 1
    return end - first >= TELLING_OCTETS


def shows(message: bytes, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
    """Say whether what ``topology_hiding.without`` would look for stands in octets; what is part of ``but`` may."""
    text = folded(message)
    for identity in hidden:
        bare = bare_identity(identity).lower()
        user = bare.rpartition(b"@")[0]
        if bare in text and not _is_in(bare, but):
            return True
        if len(user) >= TELLING_OCTETS and user in text and not _is_in(user, but):
            return True
    return False


def _is_in(octets: bytes, identities: tuple[bytes, ...]) -> bool:
    """Say whether octets are part of one of these identities, its scheme aside."""
    return any(octets in bare_identity(identity).lower() for identity in identities)
