"""Every hop of the chain dead in turn: before a migrated registration, in the midst of it, and after it.

One lab goes through a table, with two UEs.  In each row ue1, which is not registered, registers, and the hop dies while
the MAR is on its way; then ue1, which again is not, registers, and ue2, which long since is, refreshes, both at once;
then the hop is mended, and both register without a restart of anything else.  Each of these is a moment of the capture
with a verdict of its own.  docs/lab.md has the table for people.  SIP of the UEs goes over TCP: over UDP a dead P-CSCF
is 32 s of silence (RFC 3261 §17.1.2.2, timer F).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab.faults.fault import Fault, Seen
from lab.scenarios.migrations import IN_MC2, MIGRATED, migrate
from lab.scenarios.model import CONNECTIVITY, Check, During, Scenario, Step, check
from lab.scenarios.refusals import DIAMETER_UNABLE_TO_DELIVER
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Authenticate, Deregister, Refresh, Register

AT_ONCE_S: Final = 1.5
"""From the moment on: the UE's first SYN is refused, not the second, which comes after 1 s (RFC 6298 §2)."""
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
OK: Final = 200
WORKS: Final[Mapping[str, Any]] = {"system": "mc2", "status": OK, "within_s": RECOVERY_S, "by_s": RECOVERY_S}
"""What shows that registration works again, however often the UE came for it."""
SLOW: Final = Fault("hss-slow", "hss.mc1", delay_ms=300)
HELD: Final = Fault("hss-slow", "hss.mc1", delay_ms=600)
"""Holds the MAR on its way, so that a hop dies while it is; well below the 1.5 s that proxies give an answer."""
MAR_UNDER_WAY: Final = Seen("MAR", sender="scscf.mc2")
UES: Final = ("ue1", "ue2")


def unanswered(leg: str, command: str, within_s: float) -> Mapping[str, Any]:
    """Return the part of a check that wants 3002 on a leg."""
    return {"leg": leg, "command": command, "code": DIAMETER_UNABLE_TO_DELIVER, "within_s": within_s}


@dataclass(frozen=True, slots=True)
class Hop:
    """A row: what is dead, how REGISTER then ends and when, what Diameter says where, who ends connections.

    ``no_answer``: no CSCF gets any to this command while the hop is dead.  ``dies_within_s``: the time for what was
    under way as the hop died, where that is longer.  ``by_s``: the UE may come again until so long after the moment.
    """

    name: str
    faults: tuple[Fault, ...]
    status: int
    within_s: float
    diameter: Mapping[str, Any] = field(default_factory=dict)
    broken_by: str = ""
    no_answer: str = ""
    dies_within_s: float = 0.0
    by_s: float = 0.0

    def register(self, ue: str) -> Register:
        """Return the trial of a UE that is not registered."""
        return Register(ue, "mc2", status=self.status, patience_s=self.by_s)

    def refresh(self, ue: str) -> Refresh:
        """Return the trial of one that is."""
        return Refresh(ue, "mc2", status=self.status, patience_s=self.by_s)

    def begin(self) -> Step:
        """Return what lets all of the row's faults begin at one moment."""
        first, *others = (BeginFault(fault) for fault in self.faults)
        return During(first, tuple(others))

    def leave(self) -> Iterator[Step]:
        """Yield what takes off a UE whose registration the death did not hinder."""
        if self.status == OK:
            yield Deregister("ue1", "mc2", patience_s=self.by_s)


def dead(*hosts: str) -> tuple[Fault, ...]:
    """Return the faults of a row with dead hosts."""
    return tuple(Fault("kill", host) for host in hosts)


MAR_LOST: Final = unanswered("aaa-2", "MAR", 1.8)
UAR_LOST: Final = unanswered("aaa-2", "UAR", 1.8)
# A HSS that is started again holds nothing: its row is the last.
# fmt: off
HOPS: Final = (
    Hop("pcscf.mc2", dead("pcscf.mc2"), 503, AT_ONCE_S, broken_by="pcscf.mc2", no_answer="UAR",
        dies_within_s=ONCE_MORE_S),
    Hop("icscf.mc2", dead("icscf.mc2"), 504, ICSCF_DEAD_S, no_answer="UAR"),
    Hop("scscf.mc2", dead("scscf.mc2"), 504, SCSCF_DEAD_S, no_answer="MAR"),
    Hop("proxy1.mc2", dead("proxy1.mc2"), 200, WITH_DIAMETER_S, dies_within_s=ONCE_MORE_S, by_s=NOTICED_S),
    Hop("mms.mc2", dead("mms.mc2"), 504, WITH_DIAMETER_S, UAR_LOST),
    Hop("link", (Fault("cut", "mc1"),), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("proxy1.mc1", dead("proxy1.mc1"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc1", dead("proxy1.mc1", "proxy2.mc1"), 504, WITH_DIAMETER_S, MAR_LOST),
    Hop("mms.mc1", dead("mms.mc1"), 200, WITH_DIAMETER_S),
    Hop("hss.mc2", dead("hss.mc2"), 200, WITH_DIAMETER_S),
    Hop("both proxies of mc2", dead("proxy1.mc2", "proxy2.mc2"), 504, WITH_DIAMETER_S, no_answer="UAR",
        dies_within_s=ONCE_MORE_S),
    Hop("hss.mc1", dead("hss.mc1"), 504, WITH_DIAMETER_S, MAR_LOST),
)
# fmt: on


def steps(hops: tuple[Hop, ...]) -> Iterator[Step]:
    """Yield what goes through a table: each hop is alive, dies, is dead, is mended; ue1 is registered at first."""
    for hop in hops:
        yield from (Mark(f"{hop.name} alive"), Deregister("ue1", "mc2", patience_s=RECOVERY_S))
        yield Mark(f"{hop.name} dies")
        yield During(hop.register("ue1"), (hop.begin(),), when=MAR_UNDER_WAY)
        yield Mark(f"{hop.name} dead")
        yield from hop.leave()
        yield During(hop.register("ue1"), (hop.refresh("ue2"),))
        yield from (EndFault(fault) for fault in hop.faults)
        yield Mark(f"{hop.name} mended")
        yield from (Register(ue, "mc2", patience_s=RECOVERY_S) for ue in UES)


def checks(hops: tuple[Hop, ...]) -> Iterator[Check]:
    """Yield what each row must show: alive, while the hop dies, while it is dead, and that registration works again."""
    for hop in hops:
        yield check("at-moment", moment=f"{hop.name} alive", ue="ue1", sip=WORKS)
        yield _ended(hop, "dies", "ue1", hop.dies_within_s or hop.within_s)
        for ue in UES:
            yield _ended(hop, "dead", ue, hop.within_s)
        for ue in UES:
            yield check("at-moment", moment=f"{hop.name} mended", ue=ue, sip=WORKS)


def _ended(hop: Hop, moment: str, ue: str, within_s: float) -> Check:
    parts: dict[str, Any] = {"diameter": dict(hop.diameter)} if hop.diameter else {}
    if hop.broken_by:
        parts |= {"broken_by": hop.broken_by, "broken_within_s": within_s}
    else:
        parts["sip"] = {"system": "mc2", "status": hop.status, "within_s": within_s}
        if hop.by_s:
            parts["sip"]["by_s"] = hop.by_s
    if hop.no_answer and moment == "dead":
        parts["no_answer"] = {"leg": "aaa-2", "command": hop.no_answer}
    return check("at-moment", moment=f"{hop.name} {moment}", ue=ue, **parts)


DEAD_HOPS: Final = (
    Scenario(
        name="dead-hops",
        what="Each hop dies before, during and after a registration: its code in time, and mended it works.",
        is_long=True,
        ues=UES,
        settings={f"ues.{ue}.transport": "tcp" for ue in UES},
        steps=(
            *MIGRATED,
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2),
            BeginFault(HELD),
            *steps(HOPS),
        ),
        proves=CONNECTIVITY,
        checks=(
            *checks(HOPS),
            *(check("sip-never", ue=ue, system="mc2", method="REGISTER", status=403) for ue in UES),
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
