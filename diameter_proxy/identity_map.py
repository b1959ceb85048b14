"""The identity map: which sets of identities our MMS has lent, to whom, and what they stand for (DESIGN: identities).

Two directions.  A *partner set* is lent to a user who has migrated to us; it stands for a primary migration set of his
own system (TS 23.280 CR, 10.1.X.1 step 10).  A *primary migration set* is lent to one named partner system; it stands
for a default ISIM set of ours (step 5).  The one event loop changes the map in place between two reads.  Nothing here
knows Diameter or HTTP; identities are the octets of their AVPs, hosts in lower case.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

NEGATIVE_S: Final = 1.0
NEGATIVES_MAX: Final = 10_000
CHANGED_MAX: Final = 10_000

Identities = tuple[bytes, ...]
"""A set: the IMPI first, then the IMPUs in their order."""


BINDING: Final = 0
IS_PRIMARY: Final = 2
ENABLED: Final = 4
NOT_AFTER_S: Final = 5
IDENTITIES: Final = 6
COUNTERPART: Final = 7
"""Where fields of a ``LentSet`` are: by number the hot path reads them several times faster than by name."""


class LentSet(NamedTuple):
    """One binding as the proxy needs it.

    Attributes:
        is_primary: a primary migration set lent to ``other_mc_system``; else a partner set for one of its users.
        not_after_s: POSIX time at which it ends; enforced here, whatever the feed says later.
        counterpart: what the set stands for, paired by position.
        provisioned: the HSS knows a primary migration set itself.
    """

    binding: str
    version: int
    is_primary: bool
    other_mc_system: str
    enabled: bool
    not_after_s: float
    identities: Identities
    counterpart: Identities
    provisioned: bool = False

    def is_usable(self, now_s: float) -> bool:
        """Say whether the binding is enabled and in time."""
        return self.enabled and now_s < self.not_after_s

    def counterpart_of(self, identity: bytes) -> bytes | None:
        """Return what an identity of the set stands for, by position; only ``sip:`` IMPUs are mapped.

        A primary migration set may have more IMPUs than the default set: the rest stand for its first.
        """
        position = self.identities.index(identity)
        if position == 0:
            return self.counterpart[0]
        if not identity.startswith(b"sip:"):
            return None
        if position < len(self.counterpart) and self.counterpart[position].startswith(b"sip:"):
            return self.counterpart[position]
        if not self.is_primary:
            return None
        return next((impu for impu in self.counterpart[1:] if impu.startswith(b"sip:")), None)


@dataclass(slots=True)
class IdentityMap:
    """All lent sets, by each identity, and what is known about how fresh they are."""

    range_domain: bytes = b""
    range_prefix: bytes = b""
    version: int = 0
    changes: int = 0
    """How often anything was put in or taken out."""
    _changed: list[LentSet] | None = field(default_factory=list)
    """What was taken out or exchanged since ``changed_since_asked``; None for too much of it."""
    began: int = 0
    """The version at which the reading of everything began that this map comes from."""
    bindings: dict[str, LentSet] = field(default_factory=dict)
    lent_to_users: dict[bytes, LentSet] = field(default_factory=dict)
    lent_to_systems: dict[str, dict[bytes, LentSet]] = field(default_factory=dict)
    _at_home: dict[bytes, LentSet | tuple[LentSet, ...]] = field(default_factory=dict)
    """By identity, the primary bindings that name it: nearly always one, and then itself (a dict costs 300 octets)."""
    _negatives: dict[bytes, float] = field(default_factory=dict)
    _refreshed_s: float | None = None

    # --- changes, from the feed and from look-ups ------------------------------------------------------------

    def apply(self, change: LentSet) -> bool:
        """Put a binding in, or exchange it; a change older than what is here is left out and False returned."""
        known = self.bindings.get(change.binding)
        if known is not None:
            if change.version < known.version:
                return False
            self._take_out(known)
        self.changes += 1
        self.bindings[change.binding] = change
        if change.is_primary:
            table = self.lent_to_systems.setdefault(change.other_mc_system, {})
            self._put_at_home(change)
        else:
            table = self.lent_to_users
        for identity in change.identities:
            other = table.get(identity)
            if other is not None:  # of a binding that is to be deleted, of which we have not heard yet
                self._note(other)
            table[identity] = change
        if self._negatives:
            for identity in change.identities:
                self._negatives.pop(identity, None)
        return True

    def delete(self, binding: str, version: int) -> bool:
        """Take a binding out; an older deletion than what is here is left out and False returned."""
        known = self.bindings.get(binding)
        if known is None or version < known.version:
            return False
        self.changes += 1
        self._take_out(known)
        del self.bindings[binding]
        return True

    def set_range(self, domain: str, prefix: str) -> None:
        """Take over where our lent identities lie."""
        self.range_domain, self.range_prefix = domain.lower().encode(), prefix.lower().encode()

    def replace_by(self, other: "IdentityMap") -> list[dict[Any, Any]]:
        """Take over everything of a map that was built anew (a full reload); return the old tables, to be emptied."""
        self.changes += 1
        old: list[dict[Any, Any]] = [self.lent_to_users, *self.lent_to_systems.values(), self._at_home, self.bindings]
        for name in ("range_domain", "range_prefix", "version", "began", "bindings", "lent_to_users", "lent_to_systems",
                     "_at_home", "_refreshed_s"):  # fmt: skip
            setattr(self, name, getattr(other, name))
        self._negatives.clear()
        self._changed = None
        return old

    def changed_since_asked(self) -> list[LentSet] | None:
        """Return what was taken out or exchanged since this was asked last, or None: it may be everything."""
        changed, self._changed = self._changed, []
        return changed

    def _note(self, known: LentSet) -> None:
        if self._changed is not None:
            self._changed.append(known)
            if len(self._changed) > CHANGED_MAX:
                self._changed = None

    def _take_out(self, known: LentSet) -> None:
        self._note(known)
        table = self.lent_to_systems[known.other_mc_system] if known.is_primary else self.lent_to_users
        for identity in known.identities:
            if table.get(identity) is known:
                del table[identity]
        if not known.is_primary:
            return
        for identity in {*known.identities, *known.counterpart}:
            rest = tuple(lent for lent in _sets(self._at_home.get(identity)) if lent is not known)
            if rest:
                self._at_home[identity] = rest[0] if len(rest) == 1 else rest
            else:
                self._at_home.pop(identity, None)

    def _put_at_home(self, change: LentSet) -> None:
        table = self._at_home
        for identities in (change.identities, change.counterpart):
            for identity in identities:
                known = table.get(identity)
                if known is None:
                    table[identity] = change
                elif known is not change and change not in _sets(known):
                    table[identity] = (*_sets(known), change)

    # --- freshness -------------------------------------------------------------------------------------------

    def refreshed(self, now_s: float) -> None:
        """Note that the feed was complete at this (monotonic) time."""
        self._refreshed_s = now_s

    def age_s(self, now_s: float) -> float | None:
        """Return how long ago the feed was complete, or None when it never was."""
        return None if self._refreshed_s is None else now_s - self._refreshed_s

    def is_stale(self, now_s: float, age_max_s: float) -> bool:
        """Say whether nothing may be told from the map any more."""
        return self._refreshed_s is None or now_s - self._refreshed_s > age_max_s

    # --- negative entries of look-ups ------------------------------------------------------------------------

    def note_absent(self, identity: bytes, now_s: float) -> None:
        """Remember for a second that the MMS does not know this identity."""
        if len(self._negatives) >= NEGATIVES_MAX:
            del self._negatives[next(iter(self._negatives))]
        self._negatives[identity] = now_s + NEGATIVE_S

    def is_known_absent(self, identity: bytes, now_s: float) -> bool:
        """Say whether the MMS has said within the last second that it does not know this identity."""
        until_s = self._negatives.get(identity)
        if until_s is None:
            return False
        if now_s < until_s:
            return True
        del self._negatives[identity]
        return False

    # --- questions -------------------------------------------------------------------------------------------

    def is_in_range(self, identity: bytes) -> bool:
        """Say whether an identity, known or not, lies where our lent identities lie.

        Case and escapes of the user part are looked through: what only resembles a lent identity is none of a native
        user's either.
        """
        user, _, host = identity.rpartition(b"@")
        if not self.range_domain or host.lower() != self.range_domain:
            return False
        if b"%" in user:
            user = unquote_to_bytes(user)
        user = user.lower()
        return (user[4:] if user.startswith(b"sip:") else user).startswith(self.range_prefix)

    def at_home(self, identity: bytes, now_s: float) -> Iterator[LentSet]:
        """Yield the live primary bindings that name this identity as their set or as the default set behind it."""
        return (lent for lent in _sets(self._at_home.get(identity)) if lent.is_usable(now_s))

    def is_primary(self, identity: bytes) -> bool:
        """Say whether any primary binding, live or not, names this identity."""
        return identity in self._at_home

    def is_current(self, lent: LentSet, now_s: float) -> bool:
        """Say whether a binding taken earlier still stands and may be used."""
        known = self.bindings.get(lent.binding)
        return known is not None and known.identities == lent.identities and known.is_usable(now_s)

    def counts(self) -> dict[str, int]:
        """Return how much there is of what."""
        return {
            "bindings": len(self.bindings),
            "partner_identities": len(self.lent_to_users),
            "primary_identities": sum(map(len, self.lent_to_systems.values())),
            "negative_entries": len(self._negatives),
            "version": self.version,
        }


def _sets(found: LentSet | tuple[LentSet, ...] | None) -> tuple[LentSet, ...]:
    if found is None:
        return ()
    return (found,) if isinstance(found, LentSet) else found


def canonical(identity: bytes) -> bytes:
    """Return an identity with scheme and host in lower case, the user part as it is (TS 23.003 §13)."""
    user, at, host = identity.rpartition(b"@")
    if not at:
        return identity.lower()
    if user[:4].lower() == b"sip:":
        user = b"sip:" + user[4:]
    return user + b"@" + host.lower()
