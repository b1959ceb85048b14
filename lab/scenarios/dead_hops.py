"""Every hop of the chain dead in turn, while a migrated user is registered; and a proxy that dies with the MAR.

One lab goes through a table.  Each row is a moment of the capture with a verdict of its own: the hop is dead, the UE
tries, the code and the time are as the row says; the hop is mended, and the UE is registered again without a restart of
anything else.  docs/lab.md has the table for people.  The UE's SIP goes over TCP: over UDP a dead P-CSCF is 32 s of
silence (RFC 3261 §17.1.2.2, timer F).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab.faults.fault import Fault, Seen
from lab.scenarios.migrations import MIGRATED
from lab.scenarios.model import (
    CONNECTIVITY,
    BeginFault,
    Check,
    During,
    EndFault,
    Mark,
    Refresh,
    Register,
    Scenario,
    Step,
    check,
)
from lab.scenarios.refusals import DIAMETER_UNABLE_TO_DELIVER

AT_ONCE_S: Final = 0.5
WITH_DIAMETER_S: Final = 2.5
"""Kamailio's cdp waits 2 s for an answer; the proxies answer 3002 before that."""
ONCE_MORE_S: Final = 5.0
"""Where a proxy died with the request, its answer is waited for, and then the REGISTER goes once more."""
NOTICED_S: Final = 10.0
"""cdp 5.6.3 misses now and then that a connection was closed.  Its watchdog notices, after up to 8 s; till then a UE is
told 504, and comes again."""
SCSCF_DEAD_S: Final = 9.5
"""The I-CSCF gives an S-CSCF 9 s."""
ICSCF_DEAD_S: Final = 12.5
"""The P-CSCF gives an I-CSCF 12 s."""
RECOVERY_S: Final = 15.0
SLOW: Final = Fault("hss-slow", "hss.mc1", delay_ms=300)
"""Holds the MAR on its way, so that a proxy dies while it is."""


def unanswered(leg: str, command: str, within_s: float) -> Mapping[str, Any]:
    """Return the part of a check that wants 3002 on a leg."""
    return {"leg": leg, "command": command, "code": DIAMETER_UNABLE_TO_DELIVER, "within_s": within_s}


@dataclass(frozen=True, slots=True)
class Hop:
    """A row: what is dead, how REGISTER then ends and when, what Diameter says where, who ends connections."""

    name: str
    faults: tuple[Fault, ...]
    status: int
    within_s: float
    diameter: Mapping[str, Any] = field(default_factory=dict)
    broken_by: str = ""


def dead(host: str) -> tuple[Fault, ...]:
    """Return the fault of a row with one dead host."""
    return (Fault("kill", host),)


MAR_LOST: Final = unanswered("aaa-2", "MAR", 1.8)
# fmt: off
HOPS: Final = (
    Hop("pcscf.mc2", dead("pcscf.mc2"), 503, AT_ONCE_S, broken_by="pcscf.mc2"),
    Hop("icscf.mc2", dead("icscf.mc2"), 504, ICSCF_DEAD_S),
    Hop("scscf.mc2", dead("scscf.mc2"), 504, SCSCF_DEAD_S),
    Hop("mms.mc2", dead("mms.mc2"), 504, WITH_DIAMETER_S, unanswered("aaa-2", "UAR", 1.8)),
    Hop("link", (Fault("cut", "mc1"),), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("both proxies of mc1", (*dead("proxy1.mc1"), *dead("proxy2.mc1")), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("mms.mc1", dead("mms.mc1"), 200, WITH_DIAMETER_S),
    Hop("hss.mc1", dead("hss.mc1"), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("hss.mc2", dead("hss.mc2"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc2", (*dead("proxy1.mc2"), *dead("proxy2.mc2")), 504, WITH_DIAMETER_S),
)
# fmt: on


def steps(hops: tuple[Hop, ...]) -> Iterator[Step]:
    """Yield what goes through a table: each hop dead, tried, mended, tried again."""
    for hop in hops:
        yield from (BeginFault(fault) for fault in hop.faults)
        yield from (Mark(f"{hop.name} dead"), Refresh("ue1", "mc2", status=hop.status))
        yield from (EndFault(fault) for fault in hop.faults)
        yield from (Mark(f"{hop.name} mended"), Register("ue1", "mc2", patience_s=RECOVERY_S))


def checks(hops: tuple[Hop, ...]) -> Iterator[Check]:
    """Yield two checks a row: what the dead hop looked like, and that registration works again."""
    for hop in hops:
        parts: dict[str, Any] = {}
        if hop.broken_by:
            parts["broken_by"] = hop.broken_by
        else:
            parts["sip"] = {"system": "mc2", "status": hop.status, "within_s": hop.within_s}
        if hop.diameter:
            parts["diameter"] = dict(hop.diameter)
        yield check("at-moment", moment=f"{hop.name} dead", ue="ue1", **parts)
        again = {"system": "mc2", "status": 200, "within_s": WITH_DIAMETER_S}
        yield check("at-moment", moment=f"{hop.name} mended", ue="ue1", sip=again)


DEAD_HOPS: Final = (
    Scenario(
        name="dead-hops-after",
        what="Each hop is dead when a registered user refreshes: its code in time, and mended it works.",
        is_long=True,
        settings={"ues.ue1.transport": "tcp"},
        steps=(*MIGRATED, *steps(HOPS)),
        proves=CONNECTIVITY,
        checks=(*checks(HOPS), check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403)),
    ),
    Scenario(
        name="proxy-killed-in-registration",
        what="Two proxies a system: the one that has the MAR is killed, first abroad, then at home; 200 all the same.",
        steps=(
            *MIGRATED[:-1],
            BeginFault(SLOW),
            Mark("proxy1.mc2 killed"),
            During(
                Register("ue1", "mc2", patience_s=NOTICED_S),
                (BeginFault(Fault("kill", "proxy1.mc2")),),
                when=Seen("MAR", sender="scscf.mc2", receiver="proxy1.mc2"),
            ),
            Mark("proxy1.mc1 killed"),
            During(
                Register("ue1", "mc2"),
                (BeginFault(Fault("kill", "proxy1.mc1")),),
                when=Seen("MAR", receiver="hss.mc1"),
            ),
        ),
        proves=CONNECTIVITY,
        checks=(
            check(
                "at-moment",
                moment="proxy1.mc2 killed",
                ue="ue1",
                sip={"system": "mc2", "status": 200, "within_s": ONCE_MORE_S, "by_s": NOTICED_S},
                broken_by="proxy1.mc2",
            ),
            check(
                "at-moment",
                moment="proxy1.mc1 killed",
                ue="ue1",
                sip={"system": "mc2", "status": 200, "within_s": WITH_DIAMETER_S},
                broken_by="proxy1.mc1",
            ),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403),
        ),
    ),
)
