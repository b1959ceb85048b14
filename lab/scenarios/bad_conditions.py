"""Bad links, a slow and a silent HSS, a clock that is wrong: what works all the same, and who says what does not.

Rows as in ``dead_servers``: a moment of the capture each, with the code and the time within which it must come; then
what was wrong is mended, nothing else is restarted, and the same request succeeds.
"""

from collections.abc import Mapping
from typing import Any, Final

from lab.faults.fault import Fault
from lab.scenarios.dead_hops import AT_ONCE_S, MAR_LOST, OK, RECOVERY_S, SLOW, WITH_DIAMETER_S
from lab.scenarios.dead_servers import DETAILS, Trial
from lab.scenarios.migrations import IN_MC2, MIGRATED
from lab.scenarios.model import CONNECTIVITY, Scenario, Step, check
from lab.scenarios.system_steps import BeginFault, EndFault, Mark
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Register

SILENT: Final = Fault("hss-silent", "hss.mc1")
AHEAD: Final = Fault("clock-skew", "idms.mc1", skew_s=7200)
CLOCK_AHEAD: Final = "clock of idms.mc1 ahead"
CLOCK_RIGHT: Final = "clock of idms.mc1 right"
# fmt: off
CONDITIONS: Final[tuple[tuple[str, Fault, int, Mapping[str, Any]], ...]] = (
    ("slow link",  Fault("delay", "mc2", delay_ms=100, jitter_ms=20), OK,  {}),
    ("lossy link", Fault("loss", "mc2", percent=10),                  OK,  {}),
    ("slow HSS",   SLOW,                                              OK,  {}),
    ("silent HSS", SILENT,                                            504, {"diameter": MAR_LOST}),
)
# fmt: on


def _trial(name: str, fault: Fault, status: int, parts: Mapping[str, Any]) -> Trial:
    """Return the row of a REGISTER; where it must get 200 the UE may come again, as one that is told 504 does."""
    again = Register("ue1", "mc2", patience_s=RECOVERY_S)
    trial = again if status == OK else Register("ue1", "mc2", status=status)
    sip = {"system": "mc2", "status": status, "within_s": WITH_DIAMETER_S}
    return Trial(name, (fault,), trial, again, {"sip": sip, **parts})


BAD: Final = tuple(_trial(*row) for row in CONDITIONS)
CLOCK: Final[tuple[Step, ...]] = (
    BeginFault(AHEAD),
    Authenticate("ue1", "mc1"),
    Mark(CLOCK_AHEAD),
    GetConnectionDetails("ue1", "mc2", IN_MC2, status=401, refused_in="10.1.X.1-1"),
    EndFault(AHEAD),
    Authenticate("ue1", "mc1"),
    Mark(CLOCK_RIGHT),
    DETAILS,
)
"""A token of a clock that is ahead is not valid yet (RFC 7519 §4.1.5)."""

BAD_CONDITIONS: Final = (
    Scenario(
        name="bad-conditions",
        what="A slow and a lossy link, a slow and a silent HSS, a clock two hours ahead: what works, and what says so.",
        is_long=True,
        steps=(*MIGRATED, *(step for row in BAD for step in row.steps()), *CLOCK),
        proves=CONNECTIVITY,
        checks=(
            *(one for row in BAD for one in row.checks()),
            *(
                check(
                    "at-moment",
                    moment=moment,
                    ue="ue1",
                    http={"wire": "csc-4", "status": status, "within_s": AT_ONCE_S},
                )
                for moment, status in ((CLOCK_AHEAD, 401), (CLOCK_RIGHT, OK))
            ),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403),
        ),
    ),
)
