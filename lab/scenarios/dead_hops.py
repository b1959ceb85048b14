"""Every hop of the chain dead in turn: before a migrated registration, in the midst of it, and after it.

One lab goes through a table.  Each row is a moment of the capture with a verdict of its own: the hop is dead, the UE
tries, the code and the time are as the row says; the hop is mended, and the UE is registered again without a restart of
anything else.  docs/lab.md has the table for people.  The UE's SIP goes over TCP: over UDP a dead P-CSCF is 32 s of
silence (RFC 3261 §17.1.2.2, timer F).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lab.faults.fault import Fault, Seen
from lab.scenarios.migrations import IN_MC2, MIGRATED
from lab.scenarios.model import (
    CONNECTIVITY,
    MIGRATION,
    Authenticate,
    BeginFault,
    Check,
    Deregister,
    During,
    EndFault,
    GetConnectionDetails,
    Mark,
    Move,
    Refresh,
    Register,
    Scenario,
    Step,
    check,
)
from lab.scenarios.refusals import DIAMETER_UNABLE_TO_DELIVER

Phase = Literal["before", "during", "after"]

AT_ONCE_S: Final = 0.5
WITH_DIAMETER_S: Final = 2.5
"""Kamailio's cdp waits 2 s for an answer; the proxies answer 3002 before that."""
SCSCF_DEAD_S: Final = 9.5
"""The I-CSCF gives an S-CSCF 9 s."""
ICSCF_DEAD_S: Final = 12.5
"""The P-CSCF gives an I-CSCF 12 s."""
RECOVERY_S: Final = 15.0
SILENT: Final = Fault("hss-silent", "hss.mc1")
AHEAD: Final = Fault("clock-skew", "idms.mc1", skew_s=7200)
SLOW: Final = Fault("hss-slow", "hss.mc1", delay_ms=300)
"""Holds the MAR on its way, so that a hop dies while it is."""
MAR_UNDER_WAY: Final = Seen("MAR", sender="scscf.mc2")


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
BEFORE: Final = (
    Hop("pcscf.mc2", dead("pcscf.mc2"), 503, AT_ONCE_S, broken_by="pcscf.mc2"),
    Hop("icscf.mc2", dead("icscf.mc2"), 504, ICSCF_DEAD_S),
    Hop("scscf.mc2", dead("scscf.mc2"), 504, SCSCF_DEAD_S),
    Hop("proxy1.mc2", dead("proxy1.mc2"), 200, WITH_DIAMETER_S),
    Hop("mms.mc2", dead("mms.mc2"), 504, WITH_DIAMETER_S, unanswered("aaa-2", "UAR", 1.8)),
    Hop("proxy2.mc2", dead("proxy2.mc2"), 200, WITH_DIAMETER_S),
    Hop("link", (Fault("cut", "mc1"),), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("proxy1.mc1", dead("proxy1.mc1"), 200, WITH_DIAMETER_S),
    Hop("proxy2.mc1", dead("proxy2.mc1"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc1", (*dead("proxy1.mc1"), *dead("proxy2.mc1")), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("mms.mc1", dead("mms.mc1"), 200, WITH_DIAMETER_S),
    Hop("hss.mc1", dead("hss.mc1"), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("hss.mc2", dead("hss.mc2"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc2", (*dead("proxy1.mc2"), *dead("proxy2.mc2")), 504, WITH_DIAMETER_S),
)
DURING: Final = (
    Hop("pcscf.mc2", dead("pcscf.mc2"), 503, AT_ONCE_S, broken_by="pcscf.mc2"),
    Hop("icscf.mc2", dead("icscf.mc2"), 504, ICSCF_DEAD_S),
    Hop("scscf.mc2", dead("scscf.mc2"), 504, SCSCF_DEAD_S),
    Hop("proxy1.mc2", dead("proxy1.mc2"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc2", (*dead("proxy1.mc2"), *dead("proxy2.mc2")), 504, WITH_DIAMETER_S),
    Hop("mms.mc2", dead("mms.mc2"), 504, WITH_DIAMETER_S),
    Hop("link", (Fault("cut", "mc1"),), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("proxy1.mc1", dead("proxy1.mc1"), 200, WITH_DIAMETER_S),
    Hop("proxy2.mc1", dead("proxy2.mc1"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc1", (*dead("proxy1.mc1"), *dead("proxy2.mc1")), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("mms.mc1", dead("mms.mc1"), 200, WITH_DIAMETER_S),
    Hop("hss.mc1", dead("hss.mc1"), 504, WITH_DIAMETER_S, MAR_LOST),
)
AFTER: Final = tuple(hop for hop in BEFORE if not hop.name.startswith("proxy"))
# fmt: on


def server(
    name: str, faults: tuple[Fault, ...], trial: Step, again: Step, **parts: Any
) -> tuple[tuple[Step, ...], Check]:
    """Return a row of ``dead-servers``: a server dead, what is tried of it, and again when it is mended."""
    row = (
        *(BeginFault(fault) for fault in faults),
        Mark(f"{name} dead"),
        trial,
        *(EndFault(fault) for fault in faults),
        Mark(f"{name} mended"),
        again,
    )
    return row, check("at-moment", moment=f"{name} dead", ue="ue1", **parts)


def details(status: int, step: str | None = None) -> GetConnectionDetails:
    """Return the request of 10.1.X.1 with the outcome wanted."""
    return GetConnectionDetails("ue1", "mc2", IN_MC2, status=status, refused_in=step)


def refused(status: int, step: str) -> Mapping[str, Any]:
    """Return the part of a check that wants 10.1.X.1 refused in a step."""
    return {"wire": "csc-4", "status": status, "step": step}


DETAILS: Final = GetConnectionDetails("ue1", "mc2", IN_MC2, partner_given="mc2", patience_s=RECOVERY_S)
AT_HOME: Final = Authenticate("ue1", "mc1")
ABROAD: Final = Authenticate("ue1", "mc2")
NOBODY: Final = 0
# fmt: off
SERVERS: Final = (
    server("full disk of mms.mc1", (Fault("full-disk", "mms.mc1"),), details(503, "10.1.X.1-4"), DETAILS,
           http=refused(503, "10.1.X.1-4")),
    server("idms.mc1", dead("idms.mc1"), Authenticate("ue1", "mc1", status=NOBODY), AT_HOME, broken_by="idms.mc1"),
    server("cms.mc1", dead("cms.mc1"), details(NOBODY), DETAILS, broken_by="cms.mc1"),
    server("mms.mc1", dead("mms.mc1"), details(503, "10.1.X.1-4"), DETAILS, http=refused(503, "10.1.X.1-4")),
    server("cms.mc2", dead("cms.mc2"), details(504, "10.1.X.1-7"), DETAILS, http=refused(504, "10.1.X.1-7")),
    server("mms.mc2", dead("mms.mc2"), details(503, "10.1.X.1-9"), DETAILS, http=refused(503, "10.1.X.1-9")),
    server("link", (Fault("cut", "mc2"),), details(504, "10.1.X.1-7"), DETAILS, http=refused(504, "10.1.X.1-7")),
)
IDMS_ABROAD: Final = server("idms.mc2", dead("idms.mc2"), Authenticate("ue1", "mc2", status=NOBODY), ABROAD,
                            broken_by="idms.mc2")
# fmt: on


def steps(phase: Phase, hops: tuple[Hop, ...]) -> Iterator[Step]:
    """Yield what goes through a table: each hop dead, tried, mended, tried again."""
    for hop in hops:
        begin = tuple(BeginFault(fault) for fault in hop.faults)
        match phase:
            case "before":
                yield from (*begin, Mark(f"{hop.name} dead"), Register("ue1", "mc2", status=hop.status))
            case "during":
                yield from (BeginFault(SLOW), Mark(f"{hop.name} dead"))
                yield During(Register("ue1", "mc2", status=hop.status), begin, when=MAR_UNDER_WAY)
            case "after":
                yield from (*begin, Mark(f"{hop.name} dead"), Refresh("ue1", "mc2", status=hop.status))
        yield from (EndFault(fault) for fault in hop.faults)
        if phase == "during":
            yield EndFault(SLOW)
        yield from (Mark(f"{hop.name} mended"), Register("ue1", "mc2", patience_s=RECOVERY_S))
        if phase != "after":
            yield Deregister("ue1", "mc2")


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


def scenario(phase: Phase, what: str, hops: tuple[Hop, ...]) -> Scenario:
    """Return the scenario of one phase."""
    return Scenario(
        name=f"dead-hops-{phase}",
        what=what,
        settings={"ues.ue1.transport": "tcp"},
        steps=(*(MIGRATED if phase == "after" else MIGRATED[:-1]), *steps(phase, hops)),
        proves=CONNECTIVITY,
        checks=(*checks(hops), check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403)),
    )


DEAD_HOPS: Final = (
    scenario(
        "before", "Each hop is dead before a migrated registration: its code in time, and mended it works.", BEFORE
    ),
    scenario("during", "Each hop dies while the MAR is on its way: its code in time, and mended it works.", DURING),
    scenario("after", "Each hop is dead when a registered user refreshes: its code in time, then it works.", AFTER),
    Scenario(
        name="dead-servers",
        what="Each server of 10.1.X.1 and of authentication is dead, or its disk is full: who says so, then it works.",
        steps=(
            AT_HOME,
            *(step for row, _ in SERVERS for step in row),
            Move("ue1", "mc2"),
            *IDMS_ABROAD[0],
            Register("ue1", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            *(one for _, one in (*SERVERS, IDMS_ABROAD)),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="proxy-killed-in-registration",
        what="Two proxies a system: the one that has the MAR is killed, first abroad, then at home; 200 all the same.",
        steps=(
            *MIGRATED[:-1],
            BeginFault(SLOW),
            Mark("proxy1.mc2 killed"),
            During(
                Register("ue1", "mc2"),
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
                sip={"system": "mc2", "status": 200, "within_s": 4.5},
                broken_by="proxy1.mc2",
            ),
            check(
                "at-moment",
                moment="proxy1.mc1 killed",
                ue="ue1",
                sip={"system": "mc2", "status": 200, "within_s": WITH_DIAMETER_S},
                broken_by="proxy1.mc1",
            ),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=504),
        ),
    ),
    Scenario(
        name="bad-conditions",
        what="A slow and a lossy link, a slow HSS, a clock two hours ahead: what still works, and what says so.",
        steps=(
            *MIGRATED,
            BeginFault(Fault("delay", "mc2", delay_ms=100, jitter_ms=20)),
            Mark("slow link"),
            Register("ue1", "mc2"),
            EndFault(Fault("delay", "mc2")),
            BeginFault(Fault("loss", "mc2", percent=10)),
            Mark("lossy link"),
            Register("ue1", "mc2", patience_s=RECOVERY_S),
            EndFault(Fault("loss", "mc2")),
            BeginFault(SLOW),
            Mark("slow HSS"),
            Register("ue1", "mc2"),
            EndFault(SLOW),
            BeginFault(SILENT),
            Mark("silent HSS"),
            Register("ue1", "mc2", status=504),
            EndFault(SILENT),
            Mark("HSS as ever"),
            Register("ue1", "mc2", patience_s=RECOVERY_S),
            BeginFault(AHEAD),
            Authenticate("ue1", "mc1"),
            Mark("clock of idms.mc1 ahead"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=401, refused_in="10.1.X.1-1"),
            EndFault(AHEAD),
            Authenticate("ue1", "mc1"),
            Mark("clock right again"),
            DETAILS,
        ),
        proves=CONNECTIVITY,
        checks=(
            *(
                check(
                    "at-moment", moment=moment, ue="ue1", sip={"system": "mc2", "status": status, "within_s": within_s}
                )
                for moment, status, within_s in (
                    ("slow link", 200, WITH_DIAMETER_S),
                    ("lossy link", 200, WITH_DIAMETER_S),
                    ("slow HSS", 200, WITH_DIAMETER_S),
                    ("silent HSS", 504, WITH_DIAMETER_S),
                    ("HSS as ever", 200, WITH_DIAMETER_S),
                )
            ),
            check("at-moment", moment="silent HSS", ue="ue1", diameter=MAR_LOST),
            check(
                "at-moment",
                moment="clock of idms.mc1 ahead",
                ue="ue1",
                http={"wire": "csc-4", "status": 401},
            ),
            check("at-moment", moment="clock right again", ue="ue1", http={"wire": "csc-4", "status": 200}),
        ),
    ),
)
