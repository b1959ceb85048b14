"""A fault as a value: what is wrong, where, how much; and a moment at which one begins.

Pure: ``lab.faults.injector`` makes faults and mends them.  Scenarios write them as Python values, the command line and
the supervisor's socket as a JSON object of the same members.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

Kind = Literal["cut", "loss", "delay", "kill", "pause", "restart", "clock-skew", "full-disk", "hss-silent", "hss-slow"]
Where = Literal["link or host", "host", "HSS"]
SKEW_S_MAX: Final = 10 * 365 * 86400
DELAY_MS_MAX: Final = 60_000


class FaultError(ValueError):
    """This is no fault, or not one that this lab can have; the text is one line."""


@dataclass(frozen=True, slots=True)
class KindOfFault:
    """What a kind does to what, which members it needs, which it may have besides."""

    what: str
    where: Where
    needs: tuple[str, ...] = ()
    may_have: tuple[str, ...] = ()


# fmt: off
KINDS: Final[dict[Kind, KindOfFault]] = {
    "cut":        KindOfFault("the cable is out: a host's, or that between a system and all others", "link or host"),
    "loss":       KindOfFault("so many frames of a hundred are lost, each way", "link or host", ("percent",)),
    "delay":      KindOfFault("each frame comes so much later, each way, give or take the jitter", "link or host",
                              ("delay_ms",), ("jitter_ms",)),
    "kill":       KindOfFault("the program ends at once (SIGKILL); started again when the fault ends", "host"),
    "pause":      KindOfFault("the program stops where it is (SIGSTOP), its connections stay open", "host"),
    "restart":    KindOfFault("the program ends at once and is started again: over when it is ready", "host"),
    "clock-skew": KindOfFault("the program has another time of day (libfaketime); started again at both ends", "host",
                              ("skew_s",)),
    "full-disk":  KindOfFault("no octet more can be written where the program keeps its state; started again before",
                              "host"),
    "hss-silent": KindOfFault("requests are taken and none is answered; the watchdog is", "HSS"),
    "hss-slow":   KindOfFault("each answer comes so much later", "HSS", ("delay_ms",)),
}
MEMBERS: Final = {"percent": (1, 100), "delay_ms": (1, DELAY_MS_MAX), "jitter_ms": (0, DELAY_MS_MAX),
                  "skew_s": (-SKEW_S_MAX, SKEW_S_MAX)}
# fmt: on


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.  ``target`` is a host (``hss.mc1``) or, for what happens to links, a system (``mc1``)."""

    kind: Kind
    target: str
    percent: int = 0
    delay_ms: int = 0
    jitter_ms: int = 0
    skew_s: int = 0

    def __str__(self) -> str:
        """Return it in words, as timeline, capture and reports have it."""
        kind = KINDS[self.kind]
        amounts = [f"{name}={getattr(self, name)}" for name in (*kind.needs, *kind.may_have) if getattr(self, name)]
        return " ".join([self.kind, self.target, *amounts])


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment: this message is on the wire.

    ``message`` is a Cx command in clear (UAR UAA SAR SAA LIR LIA MAR MAA RTR RTA), a SIP method or a SIP status;
    ``sender`` and ``receiver`` are hosts, empty for any.
    """

    message: str
    sender: str = ""
    receiver: str = ""


def parse_fault(values: Mapping[str, Any], systems: Collection[str], hosts: Collection[str]) -> Fault:
    """Return the fault that a JSON object says.

    Raises:
        FaultError: a member is unknown, missing or out of range, or the lab has no such place.
    """
    unknown = set(values) - {field.name for field in fields(Fault)}
    if unknown:
        raise FaultError(f"a fault has no {', '.join(sorted(unknown))}; there are kind, target, {', '.join(MEMBERS)}")
    kind = next((one for one in KINDS if one == values.get("kind")), None)
    if kind is None:
        raise FaultError(f"no fault {values.get('kind')}; there are {', '.join(KINDS)}")
    row, target = KINDS[kind], values.get("target")
    amounts = {name: _amount(name, values[name]) for name in MEMBERS if values.get(name)}
    missing = [name for name in row.needs if name not in amounts]
    if missing:
        raise FaultError(f"{kind} needs {', '.join(missing)}")
    surplus = [name for name in amounts if name not in (*row.needs, *row.may_have)]
    if surplus:
        raise FaultError(f"{kind} has no {', '.join(surplus)}")
    if amounts.get("jitter_ms", 0) > amounts.get("delay_ms", 0):
        raise FaultError(f"jitter_ms {amounts['jitter_ms']} is more than delay_ms {amounts['delay_ms']}")
    _require_place(row.where, target, systems, hosts)
    return Fault(kind, str(target), **amounts)


def _amount(name: str, value: object) -> int:
    low, high = MEMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise FaultError(f"{name}: {value!r} is no whole number")
    if not low <= value <= high:
        raise FaultError(f"{name}: {value} is not from {low} to {high}")
    return value


def _require_place(where: Where, target: object, systems: Collection[str], hosts: Collection[str]) -> None:
    places = [host for host in hosts if where != "HSS" or host.startswith("hss.")]
    if where == "link or host":
        places += systems
    if target not in places:
        raise FaultError(f"no {where} {target} in this lab; there are {', '.join(places) or 'none'}")
