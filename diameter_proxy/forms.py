"""Messages with holes, and what goes out in their place: what the express lane knows of a message before it comes.

``express`` says what a form is for.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

from collections.abc import Callable, Iterable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from librt.strings import BytesWriter, read_i32_le, read_i64_le
from mypy_extensions import i64

from diameter_proxy.express import TELLING_OCTETS, Limits, escape_in, folded, holds_text, shows
from diameter_proxy.identity_map import COUNTERPART, IDENTITIES, LentSet
from diameter_proxy.ready_sets import HAS_CASE, MORE_SIGNS, Kind, Ready
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
from diameter_proxy.templates import (
    FIRST,
    HEAD,
    IDENTIFIERS,
    INSIDE,
    ITEM,
    SECOND,
    SERVER,
    SESSION,
    Hole,
    Template,
)

if TYPE_CHECKING:
    from diameter_proxy.pending import Batch, Outlet

LEARNT_OCTETS_MAX: Final = 2048
"""Nothing is learnt of a longer message: a form of it would take time and memory, and a MAR or MAA has some 600."""

_IS_COMPILED: Final = __name__.endswith("_compiled")
WORD_OCTETS: Final = 8
_PERCENT: Final = 0x25
_parted: Final = bytes.partition
FEW_GRAMS: Final = 16
"""So many are compared one by one, which takes no object."""
LONG_OCTETS: Final = 48
"""So many octets are compared faster as a piece of its own."""
_bounds: Final = Struct("<2i").pack

Values = tuple[Any, ...]
"""What was taken out of a message; see ``Form.values_of``."""
HOP_BY_HOP: Final = 0
"""Which of them is that identifier, as a number."""
END_TO_END: Final = 1


class Form:
    """A message with holes, and what goes out in its place.

    Attributes:
        constants: the constant octets, hole by hole.
        values_of: takes the values out of a message: its Hop-by-Hop Identifier as a number, its End-to-End Identifier,
            and others in the order in which they stand; ``rows_of`` those of each message of a run.
        session_at, item_at: which of them these are: of a request Session-Id, and SIP-Auth-Data-Item if there are
            values in it; of an answer the latter.
        first_at, second_at: which are User-Name and Public-Identity, as one or as two.
        first_octets: how long the first of both is.
        user_first: whether User-Name comes before Public-Identity.
        is_split: whether something stands between both.
        found: what ``splice.locate`` says of such a message; not to be changed.
        session_head: the header of its Session-Id AVP.
        has_values: whether something in the SIP-Auth-Data-Item differs from one message to the next.
        out: what goes out.
        asked_octets: of a request, how long its Session-Id, User-Name and Public-Identity AVPs are together.
        text: the constant octets, in and out, as identities are looked for in them, and ``grams`` every run of
            ``TELLING_OCTETS`` of it; ``digit_grams`` those of digits alone.
        bucket: of a request of a peer that may ask so many a second, what each takes a token of.
        kind: of a request, what it has in common with others whose users are ready in one table.
        maps: of a request, whether other identities go out than came in.
        session_ids_high: of a request, the high number of our Session-Ids that stands in what goes out.
        busy: of a request, the answer that refuses it because its destination is busy.
        back, outlets: of a request, the outlet of who asks, and those of the candidates; kept from the first one on.
        batch: of a request, those of the present read that have gone.
        taken: of an answer, how many are not counted yet.
        seen: of an answer, the form of the requests that were last answered with it.
        repeats_both, repeats_swapped: whether both identities come back side by side, and in which order.
        gives_both, gives_swapped: whether they go back so.
    """

    def __init__(self, data: bytes, found: list[int], values: list[Hole], out: Template) -> None:
        """Take a message, where its AVPs lie, what is taken out of it, and what goes out."""
        self.found = found
        self._values = sorted(values)
        both = _pair(data, found)
        self.is_split = len(both) > 1
        inside = [(start, end, INSIDE) for start, end in inner_values(data, found[SIP_AUTH_DATA_ITEM])]
        self.has_values = bool(inside)
        item_at = found[SIP_AUTH_DATA_ITEM]
        self._value_bounds = b"".join(_bounds(start - item_at, end - item_at) for start, end, _ in inside)
        self._compare(data, sorted([(12, 20, IDENTIFIERS), session_hole(data, found), *both, *inside]))
        cut, at = ">12xI4s", 20
        for start, end, _ in self._values:
            cut += f"{start - at}x{end - start}s"
            at = end
        taken = Struct(f"{cut}{len(data) - at}x")
        self.values_of: Callable[[bytes], Values] = taken.unpack
        self.rows_of: Callable[[bytes], Iterable[Values]] = taken.iter_unpack
        which = [IDENTIFIERS, IDENTIFIERS, *(value for _, _, value in self._values)]
        self.session_at, self.first_at, self.second_at, self.item_at = (
            which.index(value) if value in which else 0 for value in (SESSION, FIRST, SECOND, ITEM)
        )
        user, public = avp_at(data, found[USER_NAME]), avp_at(data, found[PUBLIC_IDENTITY])
        self.user_first = found[USER_NAME] < found[PUBLIC_IDENTITY]
        self.first_octets = len(user) if self.user_first else len(public)
        session = avp_at(data, found[SESSION_ID])
        self.session_head = data[found[SESSION_ID] : session_hole(data, found)[0]]
        self.asked_octets = len(session) + len(user) + len(public)
        self.out = out
        text = self.text = folded(b"\0".join([*self.constants, *out.constants]))
        self.grams = frozenset(text[at : at + TELLING_OCTETS] for at in range(len(text) - TELLING_OCTETS + 1))
        self.digit_grams = frozenset(gram for gram in self.grams if gram.isdigit())
        self._few_grams = b"".join(self.digit_grams) if len(self.digit_grams) <= FEW_GRAMS else b""
        self._are_few = _IS_COMPILED and len(self.digit_grams) <= FEW_GRAMS
        self.kind = _NO_KIND
        self.bucket: Limits | None = None
        self.maps = True
        self.candidates: tuple[str, ...] = ()
        self.session_ids_high = 0
        self.request_key = ("", "", 0)
        self.answer_key = ("", 0, 0)
        self.busy: Template | None = None
        self.back: Outlet | None = None
        self.outlets: list[Outlet] = []
        self.batch: Batch | None = None
        self.taken = 0
        self.seen: Form | None = None
        self.repeats_both = self.repeats_swapped = self.gives_both = self.gives_swapped = False

    def _compare(self, data: bytes, holes: list[Hole]) -> None:
        """Note what is compared: in plain Python pieces, in compiled code words of eight, and pieces only of more."""
        cut, model, end = ">", b"", 0
        self._words = b""
        self._from: list[int] = []
        self._end: list[int] = []
        self._long: list[bytes] = []
        for start, stop, _ in [*holes, (len(data), len(data), INSIDE)]:
            cut += f"{start - end}s{stop - start}x"
            model += data[end:start] + bytes(stop - start)
            if start - end < LONG_OCTETS:
                self._words += _bounds(end, start)
            else:
                self._from.append(end)
                self._end.append(start)
                self._long.append(data[end:start])
            end = stop
        constants = Struct(cut)
        self._constants_of: Callable[[bytes], tuple[bytes, ...]] = constants.unpack
        self._all_constants_of: Callable[[bytes], Iterable[tuple[bytes, ...]]] = constants.iter_unpack
        self.constants = self._constants_of(data)
        self._model = model

    def fits(self, data: bytes) -> bool:
        """Say whether a message of this length has the constant octets."""
        return self._is_equal(data, 0) if _IS_COMPILED else self._constants_of(data) == self.constants

    def fits_all(self, run: bytes) -> bool:
        """Say whether all messages of a run do, which are of this length."""
        octets = len(self._model)
        if _IS_COMPILED:
            at = 0
            while at < len(run):
                if not self._is_equal(run, at):
                    return False
                at += octets
            return True
        if not self.fits(run[:octets]):
            return False
        constants = list(self._all_constants_of(run))
        return constants.count(self.constants) == len(constants)

    def _is_equal(self, run: bytes, at: int) -> bool:
        for index, piece in enumerate(self._long):
            if run[at + self._from[index] : at + self._end[index]] != piece:
                return False
        words, model = self._words, self._model
        begin: i64 = at
        many: i64 = len(words)
        word: i64 = 0
        while word < many:
            here: i64 = i64(read_i32_le(words, word))
            end: i64 = i64(read_i32_le(words, word + 4))
            last: i64 = end - WORD_OCTETS
            if last >= here:  # the last word laps over the one before
                while here < last:
                    if read_i64_le(run, begin + here) != read_i64_le(model, here):
                        return False
                    here += WORD_OCTETS
                if read_i64_le(run, begin + last) != read_i64_le(model, last):
                    return False
            else:
                while here < end:
                    if run[begin + here] != model[here]:
                        return False
                    here += 1
            word += 8
        return True

    def octets_of(self, values: Values) -> bytes:
        """Return the message of which these values were taken; of a request, of which that is all that differs."""
        pieces, at = [self._model[:12], values[HOP_BY_HOP].to_bytes(4, "big"), values[END_TO_END]], 20
        for (start, end, _), value in zip(self._values, values[2:], strict=True):
            pieces += [self._model[at:start], value]
            at = end
        return b"".join([*pieces, self._model[at:]])

    def values_with(
        self, hop_by_hop: int, end_to_end: bytes, session: bytes, user: bytes, public: bytes, item: bytes
    ) -> Values:
        """Return values as they are taken out of a request with these."""
        values: list[Any] = [hop_by_hop, end_to_end, *([b""] * len(self._values))]
        values[self.session_at] = session
        first, second = (user, public) if self.user_first else (public, user)
        if self.is_split:
            values[self.second_at] = second
        else:
            first += second
        values[self.first_at] = first
        if self.has_values:
            values[self.item_at] = item
        return tuple(values)

    def pair_of(self, values: Values) -> bytes:
        """Return the User-Name and the Public-Identity AVP, side by side in the order in which they stand."""
        first: bytes = values[self.first_at]
        if self.is_split:
            first += values[self.second_at]
        return first

    def both_of(self, values: Values) -> tuple[bytes, bytes]:
        """Return the User-Name and the Public-Identity AVP."""
        first: bytes = values[self.first_at]
        if self.is_split:
            second: bytes = values[self.second_at]
        else:
            first, second = first[: self.first_octets], first[self.first_octets :]
        return (first, second) if self.user_first else (second, first)

    def see(self, fitted: "Form") -> None:
        """Look at the form of requests that are answered with this one."""
        self.seen = fitted
        is_whole = not fitted.is_split and not self.is_split
        self.repeats_both = is_whole and fitted.user_first is self.user_first
        self.repeats_swapped = is_whole and fitted.user_first is not self.user_first
        is_whole = not fitted.is_split and not self.out.is_split
        self.gives_both = is_whole and fitted.user_first is self.out.user_first
        self.gives_swapped = is_whole and fitted.user_first is not self.out.user_first

    def names(self, hidden: tuple[bytes, ...], but: tuple[bytes, ...]) -> bool:
        """Say whether the constant octets name the user that the form was learnt from: others may not share it."""
        return shows(b"\0".join(self.constants), hidden, but)

    def may_show(self, item: bytes, identities: bytes, sign_from: int, sign_end: int, ready: Ready) -> bool:
        """Say whether an identity that must not be seen may stand in what goes out; False only where none does.

        A sign of it lies at these octets of ``identities``.
        In what is constant, or in the values in the SIP-Auth-Data-Item: all else is ours, or known to whoever gets it.
        No identity begins in one AVP and ends in another: a header, which has NUL octets, lies between.
        """
        text, more = item, _NO_SIGNS
        has_case: bool = ready[HAS_CASE]
        if has_case:
            sign, more = identities[sign_from:sign_end].lower(), ready[MORE_SIGNS]
            if sign in self.grams or (more and any(other in self.grams for other in more)):
                return True
        elif self._are_few:
            few = self._few_grams
            at: i64 = 0
            while at < len(few):
                if read_i64_le(few, at) == read_i64_le(identities, sign_from):
                    return True
                at += TELLING_OCTETS
        elif identities[sign_from:sign_end] in self.digit_grams:
            return True
        # a sign and an escape of one are graphic octets; values of a vector are random ones
        if not item or (_IS_COMPILED and not holds_text(item, self._value_bounds)):
            return False
        sign = identities[sign_from:sign_end]
        if has_case:
            text, sign = item.lower(), sign.lower()
            if more and any(other in text for other in more):
                return True
        return bool(_parted(text, sign)[1]) or (_PERCENT in text and escape_in(text) is not None)

    def shows(self, item: bytes, lent: LentSet, is_answer: bool) -> bool:
        """Say whether one does: of a request those that came in, of an answer those that had gone out."""
        hidden, but = (lent[COUNTERPART], lent[IDENTITIES]) if is_answer else (lent[IDENTITIES], lent[COUNTERPART])
        return shows(b"\0".join((self.text, item)), hidden, but)

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
    """Return where the AVPs lie that an answer repeats of its request."""
    start, end, _ = whole(data, found, SESSION_ID, SESSION)
    value = span_at(data, start)[0]
    first, second = sorted((found[USER_NAME], found[PUBLIC_IDENTITY]))
    both = [(first, span_at(data, first)[2], FIRST), (second, span_at(data, second)[2], SECOND)]
    return [(start, value, HEAD), (value, end, SESSION), *both]


def request_form(data: bytes, found: list[int], out: bytes, places: list[int], numbered_octets: int) -> Form:
    """Return the form of a request, and of what went out for it.

    ``numbered_octets``: the last octets of the Session-Id that went out, where it is ours and a number; with 0 it is
    the one asked with, and a Server-Name of the user goes with it.
    """
    values, gone = [session_hole(data, found), *_pair(data, found)], [session_hole(out, places), *_pair(out, places)]
    if numbered_octets:
        end = span_at(out, places[SESSION_ID])[1]
        gone[0] = (end - numbered_octets, end, SESSION)
    elif places[SERVER_NAME]:
        gone.append(whole(out, places, SERVER_NAME, SERVER))
    if inner_values(data, found[SIP_AUTH_DATA_ITEM]):
        values.append(whole(data, found, SIP_AUTH_DATA_ITEM, ITEM))
        gone.append(whole(out, places, SIP_AUTH_DATA_ITEM, ITEM))
    return Form(data, found, values, Template(out, gone))


def answer_form(data: bytes, found: list[int], out: bytes, places: list[int]) -> Form:
    """Return the form of an answer, and of what went back for it."""
    values = [*_pair(data, found), whole(data, found, SIP_AUTH_DATA_ITEM, ITEM)]
    gone = [*as_asked(out, places), whole(out, places, SIP_AUTH_DATA_ITEM, ITEM)]
    return Form(data, found, values, Template(out, gone, places[USER_NAME] < places[PUBLIC_IDENTITY]))


def answered(template: Template, asked: bytes, found: list[int], item: bytes) -> bytes:
    """Return an answer to one request, by where its AVPs stand."""
    start, end, _ = whole(asked, found, SESSION_ID, SESSION)
    value = span_at(asked, start)[0]
    user, public = avp_at(asked, found[USER_NAME]), avp_at(asked, found[PUBLIC_IDENTITY])
    first, second = (user, public) if template.user_first else (public, user)
    if not template.is_split:
        first, second = first + second, b""
    octets = end - start + len(user) + len(public) + len(item)
    number = int.from_bytes(asked[12:16], "big")
    out = BytesWriter()
    template.write(out, octets, number, asked[16:20], asked[value:end], first, second, item, b"", asked[start:value])
    return out.getvalue()


def session_hole(data: bytes, found: list[int]) -> Hole:
    """Return where the value of Session-Id lies, with its padding."""
    value, _, end = span_at(data, found[SESSION_ID])
    return value, end, SESSION


def _pair(data: bytes, found: list[int]) -> list[Hole]:
    """Return where User-Name and Public-Identity lie: one hole, where nothing stands between, or two."""
    first, second = sorted((found[USER_NAME], found[PUBLIC_IDENTITY]))
    first_end, second_end = span_at(data, first)[2], span_at(data, second)[2]
    if first_end == second:
        return [(first, second_end, FIRST)]
    return [(first, first_end, FIRST), (second, second_end, SECOND)]


_NO_SIGNS: Final[tuple[bytes, ...]] = ()
_NO_KIND: Final = Kind(Route.PARTNER, "", False, False)
