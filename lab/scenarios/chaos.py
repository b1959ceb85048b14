"""The plan and the verdict of a chaos drill: which program dies at which moment, and what must hold afterwards.  Pure.

The plan of run N follows from the seed and N alone, so that one run can be repeated.  What must hold is read from both
migration management servers' stores and feeds after the user has come through; see ``judge_stores``.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Final

STAGES: Final = ("authenticate", "get-connection-details", "authenticate-at-partner", "register")
"""What the user does, in order; between the second and the third the UE moves."""

# fmt: off
_WEIGHTS: Final   = (1, 4, 1, 4)            # how often a stage is struck: the two that the stores and CSC-Y serve most
_LONGEST_S: Final = (0.15, 0.4, 0.2, 0.3)   # a strike falls into so many seconds after the stage began
# fmt: on
DEAD_S: Final = (0.0, 1.5)
LIVE: Final = frozenset({"held", "allocated", "registered"})

Binding = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Strike:
    """A program dies ``after_s`` into a stage and is started again ``dead_s`` later."""

    number: int
    host: str
    stage: str
    after_s: float
    dead_s: float

    def shown(self) -> str:
        """Return it in words."""
        return f"{self.host} killed {1000 * self.after_s:.0f} ms into {self.stage}, started {self.dead_s:.1f} s later"


@dataclass(slots=True)
class ChaosRun:
    """What came of one run."""

    strike: Strike
    seen: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ChaosRun":
        """Return what ``as_json`` gave."""
        return cls(Strike(**value["strike"]), list(value["seen"]), list(value["faults"]), float(value["took_s"]))

    def line(self) -> str:
        """Return one line: which component at which moment, what the UE saw, the verdict."""
        verdict = "fail" if self.faults else "pass"
        seen = ", ".join(_counted(self.seen)) or "nothing but success"
        parts = (self.strike.shown(), f"the UE saw {seen}", f"{self.took_s:.1f} s", *self.faults)
        return f"{verdict}  run {self.strike.number:>3}  {'; '.join(parts)}"


def strike_of(seed: str, number: int, hosts: Iterable[str]) -> Strike:
    """Return the strike of one run; ``hosts`` are those that may die, in any order."""
    chance = random.Random(f"{seed}.{number}")  # noqa: S311 - it must come out the same again
    host = chance.choice(sorted(hosts))
    (stage,) = chance.choices(range(len(STAGES)), _WEIGHTS)
    after_s = chance.uniform(0.0, _LONGEST_S[stage])
    return Strike(number, host, STAGES[stage], round(after_s, 3), round(chance.uniform(*DEAD_S), 2))


@dataclass(frozen=True, slots=True)
class Store:
    """What one side's MMS says: its bindings, and for each lent private identity what its feed says lends it."""

    bindings: tuple[Binding, ...]
    feed: Mapping[str, str | None]

    def live(self) -> list[Binding]:
        """Return the bindings that lend something."""
        return [one for one in self.bindings if one["state"] in LIVE]


def judge_stores(primary: Store, partner: Store) -> list[str]:
    """Return what is wrong after one user has migrated: a set lost or doubled, a store or a feed that disagrees."""
    faults = [*_of_side("primary", primary), *_of_side("partner", partner)]
    lent, taken = primary.live(), partner.live()
    if len(lent) == len(taken) == 1 and lent[0]["identities"] != taken[0]["counterpart"]:
        faults.append("the two stores bind different sets")
    return faults


def judge_empty(primary: Store, partner: Store) -> list[str]:
    """Return what is wrong after everything was given back: whatever is still lent is lost to others."""
    return [
        f"{name}: {one['state']} set is still lent: {private_identity(one)}"
        for name, store in (("primary", primary), ("partner", partner))
        for one in store.live()
    ] + [
        f"{name}: the feed still lends {identity}"
        for name, store in (("primary", primary), ("partner", partner))
        for identity, binding in store.feed.items()
        if binding is not None
    ]


def private_identity(binding: Binding) -> str:
    """Return the private identity that a binding lends."""
    return str(binding["identities"]["private_user_identity"])


def _counted(texts: Iterable[str]) -> list[str]:
    """Return the texts, those that follow on themselves once, with their number."""
    runs = [(text, len(list(same))) for text, same in groupby(texts)]
    return [text if count == 1 else f"{text} ({count} times)" for text, count in runs]


def _of_side(name: str, store: Store) -> list[str]:
    live = store.live()
    faults = []
    if len(live) != 1:
        states = ", ".join(str(one["state"]) for one in live)
        faults.append(
            f"{name}: {'a set is lost' if not live else f'{len(live)} sets are lent'} ({states or 'none live'})"
        )
    counts = Counter(identity for one in live for identity in _identities(one))
    faults += [f"{name}: {identity} is lent {count} times" for identity, count in counts.items() if count > 1]
    for one in live:
        faults += _of_binding(name, one, store.feed)
    lent = {private_identity(one) for one in live}
    faults += [
        f"{name}: the feed lends {identity}, the store does not"
        for identity, binding in store.feed.items()
        if binding is not None and identity not in lent
    ]
    return faults


def _of_binding(name: str, binding: Binding, feed: Mapping[str, str | None]) -> list[str]:
    identity = private_identity(binding)
    faults = []
    if binding["state"] == "held":
        faults.append(f"{name}: {identity} stayed held")
    if not binding["enabled"]:
        faults.append(f"{name}: {identity} is disabled")
    if binding["proxies_behind"]:
        faults.append(f"{name}: not known to {', '.join(binding['proxies_behind'])}")
    if feed.get(identity) != binding["binding"]:
        faults.append(f"{name}: the feed does not lend {identity}")
    return faults


def _identities(binding: Binding) -> tuple[str, ...]:
    return (private_identity(binding), *map(str, binding["identities"]["public_user_identities"]))
