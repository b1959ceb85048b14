"""The express lane of the hot path: a MAR or MAA like one seen before passes without being walked again (10.6.2).

What an S-CSCF or an HSS sends is the same, octet for octet, from one user to the next, but for a few values: the
identifiers of the header, Session-Id, User-Name, Public-Identity, and what is inside the vector.  A **form** is such a
message with holes in place of those values.  It is learnt from a message that went the whole way, through ``proxy``,
``migration`` and ``answer_path``: they are what this module means.  A message that fits a form has all that they look
at, apart from its values, and every question that depends on a value or on the moment is asked again here.  Whatever
does not fit, or has an answer that is not the common one, takes the whole way.

Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from diameter_proxy.identity_map import IdentityMap, LentSet
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

IDENTIFIERS: Final = "identifiers"
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

TELLING_OCTETS: Final = 8
"""A user part of so many octets is looked for without its domain: lent ones are random, that of an ISIM is an IMSI."""

_SCHEMES: Final = (b"sip:", b"tel:")
_head = Struct(">I8sI4s").pack
_avp_head = Struct(">2I").pack
_vendor_avp_head = Struct(">3I").pack
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")

Hole = tuple[int, int, str]
"""Where a value begins and ends, and which it is."""


class Pending:
    """One request under way.

    Attributes:
        source: peer that asked, and ``asked`` the octets as they came from it.
        found: what ``splice.locate`` says of ``asked``; not to be changed, other requests share it.
        sent: the octets that went out; sent again with T and another Hop-by-Hop to an alternate.
        candidates: peers that may serve it, in order of preference; ``tried`` those that have got it.
        identities: User-Name and Public-Identity that went out, which an MAA must repeat.
        joined: others who asked the very same: (peer, octets).
        own: for a request of ours: what takes the answer, or None when there is none; nobody else hears of it.
        answer_when_late: Result-Code of our own when nothing comes in time.
        remembered: the answer, for a request that comes again, until ``forget_s``.
    """

    def __init__(
        self,
        source: str,
        asked: bytes,
        found: list[int],
        route: Route,
        command: int,
        sent: bytes,
        candidates: tuple[str, ...],
        started_s: float,
        deadline_s: float,
        lent: LentSet | None = None,
        identities: tuple[bytes, bytes] = (b"", b""),
        answer_when_late: int = 3002,
        learns: bytes = b"",
        own: Callable[[bytes | None], None] | None = None,
    ) -> None:
        self.source = source
        self.asked = asked
        self.found = found
        self.route = route
        self.command = command
        self.sent = sent
        self.candidates = candidates
        self.started_s = started_s
        self.deadline_s = deadline_s
        self.lent = lent
        self.identities = identities
        self.learns = learns
        self.own = own
        self.answer_when_late = answer_when_late
        self.tried: tuple[tuple[str, int], ...] = ()
        self.joined: tuple[tuple[str, bytes], ...] = ()
        self.is_done = False
        self.was_busy = False
        self.is_unique = False
        self.remembered = b""
        self.forget_s = 0.0


class Form:
    """A message with holes, and what goes out in its place.

    Attributes:
        unpack: the message as constant octets and values, alternating; raises nothing for a message of this length.
        constants: what the constant octets must be.
        session, user, public: which value is which.
        pieces: what goes out after the header; at ``session_to`` and so on the values' AVPs are put in.
        octets: how long all that is without those AVPs, header included.
        head: command flags, code and application of what goes out.
        item_from, item_end: where the SIP-Auth-Data-Item lies in what came in; so for the Session-Id.
        system: of a request, the other MC system of its binding.
        maps: of a request, whether other identities go out than came in.
        busy: of a request, the answer that refuses it because its destination is busy.
    """

    def __init__(self, data: bytes, holes: list[Hole], found: list[int]) -> None:
        shape, at = ">", 0
        kinds: list[str] = []
        for start, end, kind in holes:
            shape += f"{start - at}s{end - start}s"
            kinds.append(kind)
            at = end
        self.unpack: Callable[[bytes], tuple[bytes, ...]] = Struct(f"{shape}{len(data) - at}s").unpack
        self.constants: tuple[bytes, ...] = self.unpack(data)[::2]
        self.session = 2 * kinds.index(SESSION) + 1
        self.user = 2 * kinds.index(USER) + 1
        self.public = 2 * kinds.index(PUBLIC) + 1
        self.found = found
        self.head = b""
        self.pieces: list[bytes] = []
        self.octets = 0
        self.session_to = 0
        self.user_to = 0
        self.public_to = 0
        self.item_to = 0
        self.server_to = 0
        self.item_from = 0
        self.item_end = 0
        self.session_from = 0
        self.session_end = 0
        self.busy: Form | None = None
        self.route = Route.PARTNER
        self.route_name = ""
        self.system = ""
        self.maps = True
        self.candidates: tuple[str, ...] = ()
        self.request_key = ("", "", 0)
        self.answer_key = ("", 0, 0)

    def leave(self, out: bytes, places: list[tuple[int, int, str]]) -> None:
        """Take over what went out; ``places`` are its AVPs that hold values, in order, whole and with padding."""
        pieces: list[bytes] = [b""]
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

    def shows(self, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
        """Say whether the constant octets name the user that the form was learnt from: others may not share it."""
        return shows(b"\0".join(self.constants), hidden, but)

    def fill(
        self,
        data: bytes,
        hop_by_hop: int,
        end_to_end: bytes,
        session: bytes,
        user: bytes,
        public: bytes,
        server: bytes = b"",
    ) -> bytes:
        """Return what goes out, with these AVPs."""
        pieces = self.pieces.copy()
        item = data[self.item_from : self.item_end]
        octets = self.octets + len(session) + len(user) + len(public) + len(item)
        if self.server_to:
            pieces[self.server_to] = server
            octets += len(server)
        pieces[0] = _head(0x01000000 + octets, self.head, hop_by_hop, end_to_end)
        pieces[self.session_to] = session
        pieces[self.user_to] = user
        pieces[self.public_to] = public
        if self.item_to:
            pieces[self.item_to] = item
        return b"".join(pieces)


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
    form = Form(data, holes_of(data, found), found)
    form.item_from = found[SIP_AUTH_DATA_ITEM]
    _, _, form.item_end = span_at(data, form.item_from)
    form.session_from = found[SESSION_ID]
    _, _, form.session_end = span_at(data, form.session_from)
    form.leave(out, sorted(spans))
    return form


def holes_of(data: bytes, found: list[int]) -> list[Hole]:
    """Return where the values are that differ from one message of this kind to the next."""
    holes: list[Hole] = [(12, 20, IDENTIFIERS)]
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


class ServerNameSource(Protocol):
    """What the lane needs of ``server_names``."""

    def of(self, impis: tuple[bytes, ...]) -> bytes: ...


class ExpressWire(Protocol):
    """What the lane needs of a Diameter node."""

    def is_ready(self, peer: str) -> bool: ...
    def reserve_hop_by_hop(self, peer: str, count: int) -> int: ...
    def send_all(self, peer: str, messages: list[bytes]) -> None: ...


def with_identities(form: Form, parts: tuple[bytes, ...], lent: LentSet) -> tuple[bytes, bytes] | None:
    """Return the identities with which a request goes out, or None where that is not the common case."""
    user, public = parts[form.user], parts[form.public]
    identities, counterpart = lent.identities, lent.counterpart
    if user != identities[0]:
        return None
    if not form.maps:
        return user, public
    if public == identities[1] and public[:4] == b"sip:" and len(counterpart) > 1:
        other = counterpart[1]
    else:
        mapped = lent.counterpart_of(public)
        if mapped is None:
            return None
        other = mapped
    return (counterpart[0], other) if other[:4] == b"sip:" else None


def user_name_avp(value: bytes) -> bytes:
    """Return a User-Name AVP."""
    length = len(value) + 8
    return _avp_head(1, 0x40000000 | length) + value + _PADDING[length & 3]


def public_identity_avp(value: bytes) -> bytes:
    """Return a Public-Identity AVP."""
    length = len(value) + 12
    return _vendor_avp_head(601, 0xC0000000 | length, 10415) + value + _PADDING[length & 3]


def shows(message: bytes, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
    """Say whether what ``topology_hiding.without`` would look for stands in octets; what is in ``but`` may.

    With ``find``, as ``in`` makes and drops a TypeError for each octet string that it looks for (CPython 3.11).
    """
    folded = message.lower()
    if message.find(b"%") >= 0:
        folded += unquote_to_bytes(message).lower()
    last = b""
    for identity in hidden:
        bare = (identity[4:] if identity[:4] in _SCHEMES else identity).lower()
        if bare == last:
            continue
        last = bare
        user = bare[: max(bare.rfind(b"@"), 0)]
        if folded.find(bare) >= 0 and not _is_in(bare, but, whole=True):
            return True
        if len(user) >= TELLING_OCTETS and folded.find(user) >= 0 and not _is_in(user, but, whole=False):
            return True
    return False


def _is_in(octets: bytes, identities: tuple[bytes, ...], *, whole: bool) -> bool:
    """Say whether octets are one of these identities without its scheme, or with ``whole`` unset a part of one."""
    for identity in identities:
        bare = (identity[4:] if identity[:4] in _SCHEMES else identity).lower()
        if octets == bare or (not whole and bare.find(octets) >= 0):
            return True
    return False


def is_current(identities: IdentityMap, lent: LentSet, now_s: float) -> bool:
    """Say whether a binding still stands as it was, and may be used."""
    return identities.bindings.get(lent.binding) is lent and lent.enabled and now_s < lent.not_after_s
