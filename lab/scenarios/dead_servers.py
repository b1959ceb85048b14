"""Each server of migration and of authentication dead in turn, or its disk full.

Rows as in ``dead_hops``: a moment of the capture each, with the code and the time within which it must come; then what
was wrong is mended, nothing else is restarted, and the same request succeeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab.faults.fault import Fault
from lab.scenarios.dead_hops import AT_ONCE_S, OK, RECOVERY_S, WITH_DIAMETER_S, WORKS, dead
from lab.scenarios.migrations import IN_MC2
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Check, Scenario, Step, check
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Move, Register

GIVEN_UP_S: Final = 6.0
"""A CMS waits 5 s for a partner's (``timeout_s`` of the agreement)."""
NOBODY: Final = 0
DIAMETER_TOO_BUSY: Final = 3004
SERVER_ERROR: Final = 500
"""What Kamailio's S-CSCF makes of any SAA that is an error."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A row: what is wrong, what is tried meanwhile, how that ends, what is tried once it is mended."""

    name: str
    faults: tuple[Fault, ...]
    trial: Step
    again: Step
    parts: Mapping[str, Any] = field(default_factory=dict)

    def steps(self) -> tuple[Step, ...]:
        """Return what the row does."""
        return (
            *(BeginFault(fault) for fault in self.faults),
            Mark(self.name),
            self.trial,
            *(EndFault(fault) for fault in self.faults),
            Mark(f"{self.name}: mended"),
            self.again,
        )

    def checks(self) -> tuple[Check, ...]:
        """Return what its moment must show, and that of its mending."""
        return (
            check("at-moment", moment=self.name, ue="ue1", **self.parts),
            check("at-moment", moment=f"{self.name}: mended", ue="ue1", **_works(self.again)),
        )


def _works(again: Step) -> Mapping[str, Any]:
    """Return what shows that this request got its 200 once nothing was wrong any more."""
    match again:
        case Register():
            return {"sip": WORKS}
        case GetConnectionDetails():
            return {"http": {"wire": "csc-4", "status": OK, "within_s": GIVEN_UP_S}}
        case _:
            return {"http": {"wire": "csc-1", "status": OK, "within_s": GIVEN_UP_S}}


def _refused(status: int, step: str, within_s: float) -> tuple[Step, Mapping[str, Any]]:
    """Return the request of 10.1.X.1 and what shows that it was refused so."""
    wanted = {"wire": "csc-4", "status": status, "step": step, "within_s": within_s}
    return GetConnectionDetails("ue1", "mc2", IN_MC2, status=status, refused_in=step), {"http": wanted}


def _refusal(name: str, faults: tuple[Fault, ...], status: int, step: str, within_s: float) -> Trial:
    trial, parts = _refused(status, step, within_s)
    return Trial(name, faults, trial, DETAILS, parts)


def _nobody(name: str, host: str, again: Step, trial: Step) -> Trial:
    return Trial(name, dead(host), trial, again, {"broken_by": host, "broken_within_s": AT_ONCE_S})


DETAILS: Final = GetConnectionDetails("ue1", "mc2", IN_MC2, partner_given="mc2", patience_s=RECOVERY_S)
# fmt: off
AT_HOME: Final = (
    _refusal("full disk of mms.mc1", (Fault("full-disk", "mms.mc1"),), 503, "10.1.X.1-4", AT_ONCE_S),
    _nobody("idms.mc1 dead", "idms.mc1", Authenticate("ue1", "mc1"), Authenticate("ue1", "mc1", status=NOBODY)),
    _nobody("cms.mc1 dead", "cms.mc1", DETAILS, GetConnectionDetails("ue1", "mc2", IN_MC2, status=NOBODY)),
    _refusal("mms.mc1 dead", dead("mms.mc1"), 503, "10.1.X.1-4", AT_ONCE_S),
    _refusal("cms.mc2 dead", dead("cms.mc2"), 504, "10.1.X.1-7", AT_ONCE_S),
    _refusal("mms.mc2 dead", dead("mms.mc2"), 503, "10.1.X.1-9", AT_ONCE_S),
    _refusal("link cut", (Fault("cut", "mc2"),), 504, "10.1.X.1-7", GIVEN_UP_S),
)
ABROAD: Final = (
    _nobody("idms.mc2 dead", "idms.mc2", Authenticate("ue1", "mc2"), Authenticate("ue1", "mc2", status=NOBODY)),
    Trial("full disk of mms.mc2", (Fault("full-disk", "mms.mc2"),),
          # Filling its disk starts it again: until its proxies are connected anew the UE is told to come again.
          Register("ue1", "mc2", status=SERVER_ERROR, patience_s=RECOVERY_S),
          Register("ue1", "mc2", patience_s=RECOVERY_S),
          {"sip": {"system": "mc2", "status": SERVER_ERROR, "within_s": WITH_DIAMETER_S},
           "diameter": {"leg": "aaa-2", "command": "SAR", "code": DIAMETER_TOO_BUSY, "within_s": 1.8}}),
)
# fmt: on


DEAD_SERVERS: Final = (
    Scenario(
        name="dead-servers",
        what="Each server of 10.1.X.1 and of authentication is dead, or its disk is full: who says so, then it works.",
        is_long=True,
        steps=(
            Authenticate("ue1", "mc1"),
            *(step for row in AT_HOME for step in row.steps()),
            Move("ue1", "mc2"),
            *(step for row in ABROAD for step in row.steps()),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            *(one for row in (*AT_HOME, *ABROAD) for one in row.checks()),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
)
