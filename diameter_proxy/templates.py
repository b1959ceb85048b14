"""What the express lane sends: a message that went out once, with holes for what differs from one to the next.

Runs as plain Python and compiled; ``hot_path`` says which.
"""

from struct import Struct
from typing import Final

from librt.strings import BytesWriter, write_i64_be
from mypy_extensions import i64

# What differs from one message to the next.
IDENTIFIERS: Final = 0
"""Hop-by-Hop and End-to-End."""
SESSION: Final = 1
"""The value of Session-Id with its padding, or the last octets of it."""
FIRST: Final = 2
"""Of User-Name and Public-Identity what comes first, or both, where they lie side by side; ``SECOND`` is the other."""
SECOND: Final = 3
ITEM: Final = 4
SERVER: Final = 5
HEAD: Final = 6
"""The header of Session-Id, of what goes out to whoever may have asked with a Session-Id of any length."""
INSIDE: Final = 7
"""A value in the SIP-Auth-Data-Item."""

_IS_COMPILED: Final = __name__.endswith("_compiled")
_VERSION: Final = 0x01000000
_header: Final = Struct(">4I4s").pack

Hole = tuple[int, int, int]
"""Where a value begins and ends, and which it is."""


class Template:
    """What goes out, with holes.

    Attributes:
        octets: how long all that is constant is, header included.
        constants: the constant octets, header aside.
        user_first: whether User-Name comes before Public-Identity.
        is_split: whether something stands between both, constant or not.
    """

    def __init__(self, out: bytes, holes: list[Hole], user_first: bool = True) -> None:
        """Take what went out once, and where its values stand, in whatever order; the identifiers are always holes."""
        pieces = [b""]
        self.octets = len(out)
        places: dict[int, int] = {}
        end = 20
        for start, stop, value in sorted(holes):
            pieces.append(out[end:start])
            places[value] = len(pieces)
            pieces.append(b"")
            self.octets -= stop - start
            end = stop
        pieces.append(out[end:])
        self.constants = [piece for piece in pieces if piece]
        self.head, self.session = places.get(HEAD, 0), places.get(SESSION, 0)
        self.first, self.second = places.get(FIRST, 0), places.get(SECOND, 0)
        self.item, self.server = places.get(ITEM, 0), places.get(SERVER, 0)
        self.user_first = user_first
        self.is_split = self.second != 0 and (self.second != self.first + 2 or pieces[self.second - 1] != b"")
        self._pieces = pieces
        self._command: i64 = int.from_bytes(out[4:8], "big")
        self._application: i64 = int.from_bytes(out[8:12], "big")

    def write(
        self,
        out: BytesWriter,
        varying: int,
        hop_by_hop: int,
        end_to_end: bytes,
        session: bytes,
        first: bytes,
        second: bytes,
        item: bytes = b"",
        server: bytes = b"",
        head: bytes = b"",
    ) -> None:
        """Write a message with these values, of which those that stand in it have ``varying`` octets together."""
        pieces = self._pieces
        if _IS_COMPILED:
            octets: i64 = _VERSION + self.octets + varying
            number: i64 = hop_by_hop
            write_i64_be(out, octets << 32 | self._command)
            write_i64_be(out, self._application << 32 | number)
            pieces[0] = end_to_end
        else:
            pieces[0] = _header(
                _VERSION + self.octets + varying, self._command, self._application, hop_by_hop, end_to_end
            )
        pieces[self.session] = session
        pieces[self.first] = first
        if self.second:
            pieces[self.second] = second
        if self.item:
            pieces[self.item] = item
        if self.server:
            pieces[self.server] = server
        if self.head:
            pieces[self.head] = head
        if _IS_COMPILED:
            for piece in pieces:
                out.write(piece)
        else:
            out.write(b"".join(pieces))
