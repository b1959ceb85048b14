"""Messages with holes, and what goes out in their place: what the express lane knows of a message before it comes.

``express`` says what a form is for.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from diameter_proxy.express import TELLING_OCTETS, folded, shows
from diameter_proxy.ready_sets import Kind
from diameter_proxy.routing import Route
from diameter_proxy.splice import (
    PUBLIC_IDENTITY,
    ROUTE_RECORD,
    SERVER_NAME,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    SLOTS,
    USER_NAME,
    avp_at,
    inner_values,
    span_at,
)

if TYPE_CHECKING:
    from diameter_proxy.pending import Batch

# What differs from one message to the next.
HOP_BY_HOP: Final = 0
END_TO_END: Final = 1
SESSION: Final = 2
FIRST: Final = 3
"""Of User-Name and Public-Identity what comes first, or both, where they lie side by side; ``SECOND`` is the other."""
SECOND: Final = 4
ITEM: Final = 5
SERVER: Final = 6
NUMBER: Final = 7
"""The Hop-by-Hop Identifier, as a number."""
OPAQUE: Final = 8
"""A value that nobody compares; it passes with its AVP, or not at all."""

FORMS_MAX: Final = 4
"""Forms of one length from one peer."""
LENGTHS_MAX: Final = 64
LEARNT_A_TICK_MAX: Final = 16

AS_ASKED: Final = ((SESSION_ID, SESSION), (USER_NAME, FIRST), (PUBLIC_IDENTITY, SECOND))
"""What an answer repeats of its request."""

_first_word: Final = Struct(">I").pack

Hole = tuple[int, int, int]
"""Where a value begins and ends, and which it is."""


class Template:
    """What goes out, with holes.

    Attributes:
        octets: how long all that is constant is, header included.
        constants: the constant octets, header aside.
    """

    def __init__(self, out: bytes, holes: list[Hole]) -> None:
        """Take what went out once, and where its values stand, in whatever order; the identifiers are always holes."""
        pieces = [b"", b"", b""]
        self.octets = len(out)
        self.session = self.first = self.second = self.item = self.server = 0
        end = 20
        for start, stop, value in sorted(holes):
            pieces.append(out[end:start])
            self._note(value, len(pieces))
            pieces.append(b"")
            self.octets -= stop - start
            end = stop
        pieces.append(out[end:])
        self.constants = [piece for piece in pieces if piece]
        self._pieces = pieces
        self._head = out[4:12]
        self._filled = 0

    def _note(self, value: int, piece: int) -> None:
        if value == SESSION:
            self.session = piece
        elif value == FIRST:
            self.first = piece
        elif value == SECOND:
            self.second = piece
        elif value == ITEM:
            self.item = piece
        elif value == SERVER:
            self.server = piece

    def filled(
        self,
        varying: int,
        hop_by_hop: bytes,
        end_to_end: bytes,
        session: bytes,
        first: bytes,
        second: bytes,
        item: bytes = b"",
        server: bytes = b"",
    ) -> bytes:
        """Return a message with these values, of which those that stand in it have ``varying`` octets together."""
        pieces = self._pieces
        octets = self.octets + varying
        if octets != self._filled:
            pieces[0] = _first_word(0x01000000 + octets) + self._head
            self._filled = octets
        pieces[1] = hop_by_hop
        pieces[2] = end_to_end
        pieces[self.session] = session
        pieces[self.first] = first
        if self.second:
            pieces[self.second] = second
        if self.item:
            pieces[self.item] = item
        if self.server:
            pieces[self.server] = server
        return b"".join(pieces)


class Form:
    """A message with holes, and what goes out in its place.

    Attributes:
        constants_of: cuts the constant octets out of a message of this length; raises nothing.
        constants: what they must be.
        values_of: cuts the values out of a message, in the order in which they stand: of a request Hop-by-Hop,
            End-to-End, and User-Name and Public-Identity as one value or two; of an answer Hop-by-Hop, a number,
            End-to-End, and both AVPs.
        user_first: whether User-Name comes before Public-Identity.
        found: what ``splice.locate`` says of such a message; not to be changed.
        session_from, session_end: where its Session-Id AVP lies; ``user_``, ``public_`` and ``item_`` the others.
        has_values: whether something in the SIP-Auth-Data-Item differs from one message to the next.
        out: what goes out.
        asked_octets: of a request, how long its Session-Id, User-Name and Public-Identity AVPs are together.
        text: the constant octets, in and out, as identities are looked for in them, and ``grams`` every run of
            ``TELLING_OCTETS`` of it.
        first_octets: how long the first of User-Name and Public-Identity is.
        kind: of a request, what it has in common with others whose users are ready in one table.
        maps: of a request, whether other identities go out than came in.
        session_ids_high: of a request, the high number of our Session-Ids that stands in what goes out.
        busy: of a request, the answer that refuses it because its destination is busy.
        batch: of a request, those of the present read that have gone.
        taken: of an answer, how many are not counted yet.
    """

    def __init__(self, data: bytes, holes: list[Hole], found: list[int], out: Template) -> None:
        """Take a message, its holes in order, where its AVPs lie, and what goes out."""
        constants, values, end = ">", ">", 0
        for start, stop, value in holes:
            constants += f"{start - end}s{stop - start}x"
            values += f"{start - end}x" + (
                "I" if value == NUMBER else f"{stop - start}{'x' if value == OPAQUE else 's'}"
            )
            end = stop
        self.constants_of: Callable[[bytes], tuple[bytes, ...]] = Struct(f"{constants}{len(data) - end}s").unpack
        self.values_of: Callable[[bytes], tuple[Any, ...]] = Struct(f"{values}{len(data) - end}x").unpack
        self.constants = self.constants_of(data)
        self.found = found
        self.session_from, self.session_end, _ = whole(data, found, SESSION_ID, SESSION)
        self.user_from, self.user_end, _ = whole(data, found, USER_NAME, FIRST)
        self.public_from, self.public_end, _ = whole(data, found, PUBLIC_IDENTITY, SECOND)
        self.user_first = self.user_from < self.public_from
        self.first_octets = self.user_end - self.user_from if self.user_first else self.public_end - self.public_from
        self.item_from, self.item_end, _ = whole(data, found, SIP_AUTH_DATA_ITEM, ITEM)
        self.has_values = bool(inner_values(data, self.item_from))
        self.out = out
        text = self.text = folded(b"\0".join([*self.constants, *out.constants]))
        self.grams = frozenset(text[at : at + TELLING_OCTETS] for at in range(len(text) - TELLING_OCTETS + 1))
        self.asked_octets = sum(len(avp_at(data, found[slot])) for slot, _ in AS_ASKED)
        self.kind = _NO_KIND
        self.maps = True
        self.candidates: tuple[str, ...] = ()
        self.session_ids_high = 0
        self.request_key = ("", "", 0)
        self.answer_key = ("", 0, 0)
        self.busy: Template | None = None
        self.batch: Batch | None = None
        self.taken = 0

    def names(self, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
        """Say whether the constant octets name the user that the form was learnt from: others may not share it."""
        return shows(b"\0".join(self.constants), hidden, but)

    def is_like(self, other: "Form") -> bool:
        """Say whether another form takes the very messages that this one takes."""
        return self.constants == other.constants and self.kind is other.kind and self.maps is other.maps


def is_alike(found: list[int]) -> bool:
    """Say whether nothing that a form has a hole for stands twice."""
    return all(found[index] == ROUTE_RECORD for index in range(SLOTS, len(found), 2))


def whole(data: bytes, found: list[int], slot: int, value: int) -> Hole:
    """Return where an AVP lies, with its padding, as the hole of a value."""
    return found[slot], span_at(data, found[slot])[2], value


def as_asked(data: bytes, found: list[int]) -> list[Hole]:
    """Return where the AVPs lie that an answer repeats of its request, Session-Id first."""
    return [whole(data, found, slot, value) for slot, value in AS_ASKED]


def request_form(data: bytes, found: list[int], out: bytes, places: list[int], numbered_octets: int) -> Form:
    """Return the form of a request, and of what went out for it.

    ``numbered_octets``: the last octets of the Session-Id that went out, where it is ours and a number; with 0 it is
    the one asked with, and a Server-Name of the user goes with it.
    """
    value, end, _ = span_at(data, found[SESSION_ID])
    holes = [(12, 16, HOP_BY_HOP), (16, 20, END_TO_END), (value, end, OPAQUE), *_pair(data, found)]
    holes += _inside(data, found)
    gone = [whole(out, places, SESSION_ID, SESSION), *_pair(out, places)]
    if numbered_octets:
        end = span_at(out, places[SESSION_ID])[1]
        gone[0] = (end - numbered_octets, end, SESSION)
    elif places[SERVER_NAME]:
        gone.append(whole(out, places, SERVER_NAME, SERVER))
    if _inside(data, found):
        gone.append(whole(out, places, SIP_AUTH_DATA_ITEM, ITEM))
    return Form(data, sorted(holes), found, Template(out, gone))


def answer_form(data: bytes, found: list[int], out: bytes, places: list[int]) -> Form:
    """Return the form of an answer, and of what went back for it."""
    value, end, _ = span_at(data, found[SESSION_ID])
    holes = [(12, 16, NUMBER), (16, 20, END_TO_END), (value, end, OPAQUE), *as_asked(data, found)[1:]]
    holes += _inside(data, found)
    gone = [*as_asked(out, places), whole(out, places, SIP_AUTH_DATA_ITEM, ITEM)]
    return Form(data, sorted(holes), found, Template(out, gone))


def answered(template: Template, asked: bytes, found: list[int], item: bytes) -> bytes:
    """Return an answer to one request, by where its AVPs stand."""
    session, user = avp_at(asked, found[SESSION_ID]), avp_at(asked, found[USER_NAME])
    public = avp_at(asked, found[PUBLIC_IDENTITY])
    octets = sum(map(len, (session, user, public, item)))
    return template.filled(octets, asked[12:16], asked[16:20], session, user, public, item)


def _pair(data: bytes, found: list[int]) -> list[Hole]:
    """Return where User-Name and Public-Identity lie: one hole, where nothing stands between, or two."""
    first, second = sorted((found[USER_NAME], found[PUBLIC_IDENTITY]))
    first_end, second_end = span_at(data, first)[2], span_at(data, second)[2]
    if first_end == second:
        return [(first, second_end, FIRST)]
    return [(first, first_end, FIRST), (second, second_end, SECOND)]


def is_split(data: bytes, found: list[int]) -> bool:
    """Say whether something stands between User-Name and Public-Identity."""
    return len(_pair(data, found)) > 1


def _inside(data: bytes, found: list[int]) -> list[Hole]:
    return [(start, end, OPAQUE) for start, end in inner_values(data, found[SIP_AUTH_DATA_ITEM])]


class Forms:
    """The forms that were learnt, by peer and length; few of each, and few new ones of a peer in a tick."""

    def __init__(self) -> None:
        self._by_peer: dict[str, dict[int, list[Form]]] = {}
        self._learnt: dict[str, int] = {}

    def of_peer(self, peer: str) -> dict[int, list[Form]]:
        """Return the forms of a peer by length."""
        return self._by_peer.get(peer, _NONE)

    def may_learn(self, peer: str) -> bool:
        """Say whether one more form may be made of what comes from a peer."""
        learnt = self._learnt[peer] = self._learnt.get(peer, 0) + 1
        return learnt <= LEARNT_A_TICK_MAX

    def add(self, peer: str, data: bytes, form: Form) -> None:
        """Keep a form; of too many the oldest goes."""
        by_length = self._by_peer.setdefault(peer, {})
        if len(data) not in by_length and len(by_length) >= LENGTHS_MAX:
            del by_length[next(iter(by_length))]
        others = [other for other in by_length.get(len(data), ()) if not form.is_like(other)]
        by_length[len(data)] = [form, *others[: FORMS_MAX - 1]]

    def clear(self) -> None:
        """Forget all: what they rest on has changed."""
        self._by_peer.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._learnt.clear()


_NONE: Final[dict[int, list[Form]]] = {}
_NO_KIND: Final = Kind(Route.PARTNER, "", False, False)
