"""Messages with holes, and what goes out in their place: what the express lane knows of a message before it comes.

``express`` says what a form is for.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from diameter_proxy.express import TELLING_OCTETS, bare_identity, folded, shows
from diameter_proxy.routing import Route
from diameter_proxy.splice import (
    PUBLIC_IDENTITY,
    ROUTE_RECORD,
    SERVER_NAME,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    SLOTS,
    USER_NAME,
    inner_values,
    span_at,
)

HOP_BY_HOP: Final = "hop-by-hop"
END_TO_END: Final = "end-to-end"
SESSION: Final = "session"
USER: Final = "user"
PUBLIC: Final = "public"
SERVER: Final = "server"
OPAQUE: Final = "opaque"
"""A value that passes with its AVP, whatever it is."""

FORMS_MAX: Final = 4
"""Forms of one length from one peer."""
LENGTHS_MAX: Final = 64
LEARNT_A_TICK_MAX: Final = 16

AS_ASKED: Final = ((SESSION_ID, SESSION), (USER_NAME, USER), (PUBLIC_IDENTITY, PUBLIC))
"""What an answer repeats of its request."""

_first_word = Struct(">I").pack

Hole = tuple[int, int, str]
"""Where a value begins and ends, and which it is."""


class Form:
    """A message with holes, and what goes out in its place.

    Attributes:
        constants_of: the constant octets of a message; raises nothing for a message of this length.
        constants: what they must be.
        values_of: its values: the End-to-End Identifier, then as ``session``, ``user`` and ``public`` say.
        session_from, session_end: where its Session-Id AVP begins and ends; ``user_`` and ``public_`` the identities'.
        item_from, item_end: where its SIP-Auth-Data-Item lies.
        pieces: what goes out; at ``session_to`` and so on the values' AVPs are put in.
        octets: how long all that is without those AVPs, header included.
        head: command flags, code and application of what goes out.
        grams: every run of ``TELLING_OCTETS`` in the constant octets, as identities are looked for in them.
        has_values: whether something in the SIP-Auth-Data-Item differs from one message to the next.
        system: of a request, the other MC system of its binding.
        maps: of a request, whether other identities go out than came in.
        busy: of a request, the answer that refuses it because its destination is busy.
        taken: messages that fitted and are not counted yet.
    """

    def __init__(self, data: bytes, holes: list[Hole], found: list[int]) -> None:
        constants, values, at = ">", ">", 0
        kinds: list[str] = []
        for start, end, kind in holes:
            constants += f"{start - at}s{end - start}x"
            values += f"{start - at}x{end - start}{'x' if kind == HOP_BY_HOP else 's'}"
            if kind != HOP_BY_HOP:
                kinds.append(kind)
            at = end
        self.constants_of: Callable[[bytes], tuple[bytes, ...]] = Struct(f"{constants}{len(data) - at}s").unpack
        self.values_of: Callable[[bytes], tuple[bytes, ...]] = Struct(f"{values}{len(data) - at}x").unpack
        self.constants: tuple[bytes, ...] = self.constants_of(data)
        self.session = kinds.index(SESSION)
        self.user = kinds.index(USER)
        self.public = kinds.index(PUBLIC)
        self.has_values = OPAQUE in kinds
        self.found = found
        self.session_from = self.session_end = 0
        self.user_from = self.user_end = 0
        self.public_from = self.public_end = 0
        self.item_from = self.item_end = 0
        self.head = b""
        self.pieces: list[bytes] = []
        self.octets = 0
        self._filled = 0
        self.session_to = self.user_to = self.public_to = self.item_to = self.server_to = 0
        self.grams: frozenset[bytes] = frozenset()
        self.busy: Form | None = None
        self.route = Route.PARTNER
        self.route_name = ""
        self.system = ""
        self.maps = True
        self.candidates: tuple[str, ...] = ()
        self.request_key = ("", "", 0)
        self.answer_key = ("", 0, 0)
        self.taken = 0

    def leave(self, out: bytes, places: list[Hole]) -> None:
        """Take over what went out; ``places`` are its AVPs that hold values, in order, whole and with padding."""
        pieces: list[bytes] = [b"", b""]
        at = 20
        self.head = out[4:12]
        for start, end, kind in places:
            pieces.append(out[at:start])
            if kind == SESSION:
                self.session_to = len(pieces)
            elif kind == USER:
                self.user_to = len(pieces)
            elif kind == PUBLIC:
                self.public_to = len(pieces)
            elif kind == SERVER:
                self.server_to = len(pieces)
            else:
                self.item_to = len(pieces)
            pieces.append(b"")
            at = end
        pieces.append(out[at:])
        self.pieces = pieces
        self.octets = 20 + sum(map(len, pieces))
        text = folded(b"\0".join((*pieces, *self.constants)))
        last = len(text) - TELLING_OCTETS
        self.grams = frozenset(text[start : start + TELLING_OCTETS] for start in range(last + 1))

    def may_show(self, item: bytes, hidden: tuple[bytes, ...]) -> bool:
        """Say whether ``shows`` may hold of what goes out with this item; False only where it does not.

        It looks for less, how an identity begins, and in less: the constant octets, and the item if it has values of
        its own.  The identities and the Session-Id are made by us, or those that whoever gets the message has used
        himself.  No identity begins in one AVP and ends in the next: a header, which has NUL octets, lies between.
        """
        text = folded(item) if self.has_values else b""
        first = hidden[0]
        for identity in hidden:
            if identity[4:] == first:
                continue  # the IMPU that is the IMPI with a scheme
            start = bare_identity(identity)[:TELLING_OCTETS].lower()
            if len(start) < TELLING_OCTETS or start in self.grams or text.partition(start)[1]:
                return True
        return False

    def fill(
        self, identifiers: bytes, session: bytes, user: bytes, public: bytes, item: bytes, server: bytes = b""
    ) -> bytes:
        """Return what goes out, with these AVPs and, in the header, these Hop-by-Hop and End-to-End Identifiers."""
        octets = self.octets + len(session) + len(user) + len(public) + len(item) + len(server)
        pieces = self.pieces
        if octets != self._filled:
            pieces[0] = _first_word(0x01000000 + octets) + self.head
            self._filled = octets
        pieces[1] = identifiers
        pieces[self.session_to] = session
        pieces[self.user_to] = user
        pieces[self.public_to] = public
        if self.item_to:
            pieces[self.item_to] = item
        if self.server_to:
            pieces[self.server_to] = server
        return b"".join(pieces)

    def names(self, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
        """Say whether the constant octets name the user that the form was learnt from: others may not share it."""
        return shows(b"\0".join(self.constants), hidden, but)


def is_alike(found: list[int]) -> bool:
    """Say whether nothing that a form has a hole for stands twice."""
    return all(found[index] == ROUTE_RECORD for index in range(SLOTS, len(found), 2))


def form_of(data: bytes, found: list[int], out: bytes, places: list[int], has_server: bool = False) -> Form:
    """Return the form of a message, and of what went out for it; ``has_server``: with a Server-Name of the user."""
    spans: list[Hole] = []
    for slot, kind in AS_ASKED:
        _, _, following = span_at(out, places[slot])
        spans.append((places[slot], following, kind))
    _, _, following = span_at(out, places[SIP_AUTH_DATA_ITEM])
    spans.append((places[SIP_AUTH_DATA_ITEM], following, OPAQUE))
    if has_server and places[SERVER_NAME]:
        _, _, following = span_at(out, places[SERVER_NAME])
        spans.append((places[SERVER_NAME], following, SERVER))
    form = form_asked(data, found)
    form.item_from = found[SIP_AUTH_DATA_ITEM]
    _, _, form.item_end = span_at(data, form.item_from)
    form.leave(out, sorted(spans))
    return form


def form_asked(data: bytes, found: list[int]) -> Form:
    """Return the form of a message of which nothing is known yet but what comes in."""
    form = Form(data, holes_of(data, found), found)
    form.session_from, form.user_from, form.public_from = (found[slot] for slot, _ in AS_ASKED)
    form.session_end, form.user_end, form.public_end = (span_at(data, found[slot])[2] for slot, _ in AS_ASKED)
    return form


def holes_of(data: bytes, found: list[int]) -> list[Hole]:
    """Return where the values are that differ from one message of this kind to the next."""
    holes: list[Hole] = [(12, 16, HOP_BY_HOP), (16, 20, END_TO_END)]
    for slot, kind in AS_ASKED:
        value, end, _ = span_at(data, found[slot])
        holes.append((value, end, kind))
    holes += [(start, end, OPAQUE) for start, end in inner_values(data, found[SIP_AUTH_DATA_ITEM])]
    return sorted(holes)


class Forms:
    """The forms that were learnt, by peer and length; few of each, and few new ones in a tick."""

    def __init__(self) -> None:
        self._by_peer: dict[str, dict[int, list[Form]]] = {}
        self._budget = LEARNT_A_TICK_MAX

    def of_peer(self, peer: str) -> dict[int, list[Form]]:
        """Return the forms of a peer by length."""
        return self._by_peer.get(peer, _NONE)

    def may_learn(self) -> bool:
        """Say whether one more form may be made."""
        self._budget -= 1
        return self._budget >= 0

    def add(self, peer: str, data: bytes, form: Form) -> None:
        """Keep a form; of too many the oldest goes."""
        by_length = self._by_peer.setdefault(peer, {})
        if len(data) not in by_length and len(by_length) >= LENGTHS_MAX:
            del by_length[next(iter(by_length))]
        forms = by_length.setdefault(len(data), [])
        forms.insert(0, form)
        del forms[FORMS_MAX:]

    def clear(self) -> None:
        """Forget all: what they rest on has changed."""
        self._by_peer.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._budget = LEARNT_A_TICK_MAX


_NONE: Final[dict[int, list[Form]]] = {}
