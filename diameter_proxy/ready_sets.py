"""Lent sets as the express lane needs them: the AVPs of a pair of identities as they go out, made once for each user.

By the pair of AVPs that comes in, octet for octet.  An entry is made when a user first comes by, is gone when his
binding changes, and says nothing that the identity map does not.  It is few objects, for those of a user who is one of
many are not in the processor's caches.  Runs as plain Python and compiled; ``hot_path`` says which.
"""

import re
from typing import Any, Final

from diameter_proxy.express import (
    TELLING_OCTETS,
    bare_identity,
    public_identity_avp,
    user_name_avp,
    with_identities,
)
from diameter_proxy.identity_map import COUNTERPART, ENABLED, IDENTITIES, NOT_AFTER_S, IdentityMap, LentSet
from diameter_proxy.routing import Route
from diameter_proxy.splice import value_at

READY_MAX: Final = 1 << 17
"""Entries of one table; one takes some 660 octets."""
NEVER_S: Final = 1e300
LOOKED_AT_S: Final = 60.0
"""How often it is asked, at the most, which entry ends first."""

Ready = tuple[Any, ...]
"""An entry, by these numbers: compiled code reads them several times faster than names."""
FIRST_SENT: Final = 0
"""The AVP that goes out in the place of the first of both; where they lie side by side, both."""
SECOND_SENT: Final = 1
"""The other one, or nothing."""
OCTETS_SENT: Final = 2
"""How long both are together."""
MAPS: Final = 3
"""Whether they are others than came in."""
FIRST_OCTETS_ASKED: Final = 4
"""How long the first AVP is that came in."""
ASKED_FROM: Final = 5
"""Where a sign of the identity lies in the pair that came in, which nobody may see in what goes out."""
ASKED_END: Final = 6
HAS_CASE: Final = 7
"""Whether any sign has letters, which may be written in either case."""
MORE_SIGNS: Final = 8
"""Signs of further identities of both sides, if there are any, in lower case."""
FIRST_OCTETS_SENT: Final = 9
"""How long the first AVP is that goes out."""
SENT_FROM: Final = 10
"""Where a sign lies in ``FIRST_SENT``, which nobody may see in an answer."""
SENT_END: Final = 11
UNTIL_S: Final = 12
"""POSIX time at which the binding ends."""
LENT: Final = 13
"""The ``LentSet`` that it was made of."""
IMPIS: Final = 14
"""Those of which an S-CSCF may have been learnt."""


ANY_DOMAIN: Final[frozenset[bytes]] = frozenset()


class Kind:
    """What requests have in common whose users are ready in one table.

    Attributes:
        route, name, system: where they go, how that is called, and the other MC system of their bindings.
        user_first: whether User-Name comes before Public-Identity.
        is_split: whether something stands between both.
        domains: in which both identities must be, of a peer that is limited to some; else empty.
        ready: the entries, by both AVPs as they come.
    """

    def __init__(
        self, route: Route, system: str, user_first: bool, is_split: bool, domains: frozenset[bytes] = ANY_DOMAIN
    ) -> None:
        self.route = route
        self.name = route.name
        self.system = system
        self.user_first = user_first
        self.is_split = is_split
        self.domains = domains
        self.ready: dict[bytes, Ready] = {}


class ReadySets:
    """All entries."""

    def __init__(self, identities: IdentityMap) -> None:
        self._identities: Final = identities
        self._kinds: Final[dict[tuple[str, str, bool, bool, frozenset[bytes]], Kind]] = {}
        self.until_s = NEVER_S
        """Until then none of them ends."""
        self.age = 0
        """How often any were dropped though their bindings stand: who still holds one asks it for its time."""
        self._look_again_s = 0.0

    def kind(
        self, route: Route, system: str, user_first: bool, is_split: bool, domains: frozenset[bytes] = ANY_DOMAIN
    ) -> Kind:
        """Return the kind of such requests."""
        key = (route.name, system, user_first, is_split, domains)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(route, system, user_first, is_split, domains)
        return kind

    def make(self, kind: Kind, user_avp: bytes, public_avp: bytes, as_default: bool, wall_s: float) -> Ready | None:
        """Make and keep the entry of a pair, or return None where such a request is not of the common case."""
        identities, to_partner = self._identities, kind.route is Route.PARTNER
        known = identities.lent_to_users if to_partner else identities.lent_to_systems.get(kind.system, _NOBODY)
        public = value_at(public_avp, 0)
        lent = known.get(public)
        if lent is None or not lent[ENABLED] or lent.other_mc_system != kind.system or wall_s >= lent[NOT_AFTER_S]:
            return None
        user = lent[IDENTITIES][0]
        if user_name_avp(user) != user_avp or known.get(user) is not lent or public_identity_avp(public) != public_avp:
            return None
        if kind.domains and not (_domain(user) in kind.domains and _domain(public) in kind.domains):
            return None
        maps = to_partner or as_default or not lent.provisioned
        sent = with_identities(user, public, lent) if maps else (user, public)
        if sent is None or not (_are_telling(lent[IDENTITIES]) and _are_telling(lent[COUNTERPART])):
            return None
        if len(kind.ready) >= READY_MAX:
            self._drop(kind)
        first, other = (user_avp, public_avp) if kind.user_first else (public_avp, user_avp)
        made = kind.ready[first + other] = _entry(kind, lent, (user, public), sent, maps)
        self.until_s = min(self.until_s, lent[NOT_AFTER_S])
        return made

    def forget(self, changed: list[LentSet] | None) -> None:
        """Take note that these sets are not what they were; None stands for all."""
        if changed is None:
            self.clear()
            return
        for lent in changed:
            user = user_name_avp(lent[IDENTITIES][0])
            for identity in lent[IDENTITIES]:
                public = public_identity_avp(identity)
                for kind in self._kinds.values():
                    kind.ready.pop(user + public if kind.user_first else public + user, None)

    def let_go_of_ended(self, now_s: float, wall_s: float) -> None:
        """Drop entries whose time is up, once a minute at the most; ``until_s`` says when there is one."""
        if wall_s < self.until_s or now_s < self._look_again_s:
            return
        self._look_again_s = now_s + LOOKED_AT_S
        self.until_s = NEVER_S
        self.age += 1
        for kind in self._kinds.values():
            for pair in [pair for pair, entry in kind.ready.items() if entry[UNTIL_S] <= wall_s]:
                del kind.ready[pair]
            for entry in kind.ready.values():
                self.until_s = min(self.until_s, entry[UNTIL_S])

    def clear(self) -> None:
        """Drop all: the map or settings are others now."""
        for kind in self._kinds.values():
            self._drop(kind)
        self.until_s = NEVER_S

    def begin_anew(self) -> None:
        """Drop all, and the kinds too: no form is left that names one."""
        self.clear()
        self._kinds.clear()

    def _drop(self, kind: Kind) -> None:
        kind.ready.clear()
        self.age += 1


def sent_avps(ready: Ready, user_first: bool) -> tuple[bytes, bytes]:
    """Return the User-Name and the Public-Identity AVP that went out."""
    first: bytes = ready[FIRST_SENT]
    second: bytes = ready[SECOND_SENT]
    if not second:
        octets: int = ready[FIRST_OCTETS_SENT]
        first, second = first[:octets], first[octets:]
    return (first, second) if user_first else (second, first)


def sign_of(identity: bytes) -> bytes:
    """Return ``TELLING_OCTETS`` in lower case that stand wherever this identity does, or its user part by itself.

    That is what ``express.shows`` looks for.  Where the user part ends in digits, those: they need not be looked for in
    both cases.  Fewer octets of an identity that has no more.
    """
    bare = bare_identity(identity)
    part = bare.rpartition(b"@")[0] or bare
    if len(part) < TELLING_OCTETS:
        return bare[:TELLING_OCTETS].lower()
    end = part[-TELLING_OCTETS:]
    return end if end.isdigit() else part[:TELLING_OCTETS].lower()


def _domain(identity: bytes) -> bytes:
    return identity.rpartition(b"@")[2].lower()


def _are_telling(identities: tuple[bytes, ...]) -> bool:
    """Say whether each is long enough to be looked for by its sign, and of the octets that a sign has."""
    return all(_telling(bare_identity(identity)) is not None for identity in identities)


def _entry(kind: Kind, lent: LentSet, asked: tuple[bytes, bytes], sent: tuple[bytes, bytes], maps: bool) -> Ready:
    place = 0 if kind.user_first else 1
    came = user_name_avp(asked[0]) if kind.user_first else public_identity_avp(asked[1])
    users, publics = user_name_avp(sent[0]), public_identity_avp(sent[1])
    first, second = (users, publics) if kind.user_first else (publics, users)
    sign_asked, sign_sent = sign_of(asked[place]), sign_of(sent[place])
    more = _further_signs(lent, sign_asked, sign_sent)
    asked_from, sent_from = came.lower().find(sign_asked), first.lower().find(sign_sent)
    return (
        first if kind.is_split else first + second,
        second if kind.is_split else b"",
        len(first) + len(second),
        maps,
        len(came),
        asked_from,
        asked_from + TELLING_OCTETS,
        bool(more) or not (sign_asked.isdigit() and sign_sent.isdigit()),
        more,
        len(first),
        sent_from,
        sent_from + TELLING_OCTETS,
        lent[NOT_AFTER_S],
        lent,
        (sent[0], lent[COUNTERPART][0]),
    )


def _further_signs(lent: LentSet, sign_asked: bytes, sign_sent: bytes) -> tuple[bytes, ...]:
    """Return signs of all identities of a binding that the signs of each side do not stand for."""
    more: list[bytes] = []
    for identities, known in ((lent[IDENTITIES], sign_asked), (lent[COUNTERPART], sign_sent)):
        for identity in identities:
            sign = sign_of(identity)
            if sign != known:
                more.append(sign)
    return tuple(more) if more else _NO_SIGNS


_telling: Final = re.compile(rb"[!-~]{%d,}" % TELLING_OCTETS).fullmatch
_NO_SIGNS: Final[tuple[bytes, ...]] = ()
_NOBODY: Final[dict[bytes, LentSet]] = {}
