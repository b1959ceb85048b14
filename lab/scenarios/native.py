"""Registration in the primary MC system (10.6.1): the ground that migration stands on, and a core to compare with."""

from typing import Final

from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Scenario, check
from lab.scenarios.ue_steps import Authenticate, Deregister, Message, Register

NATIVE: Final = (
    Scenario(
        name="native",
        what="Two users in their primary system: one authenticates before the registration, one after it (10.6.1).",
        systems=("mc1",),
        ues=("ue1", "ue2"),
        steps=(
            Authenticate("ue1", "mc1"),
            Register("ue1", "mc1"),
            Register("ue2", "mc1"),
            Authenticate("ue2", "mc1", flow="code"),
            Message("ue1", "mc1", "ue2", "mc1"),
            Deregister("ue1", "mc1"),
            Deregister("ue2", "mc1"),
        ),
        proves=HOME,
        absent=(*CONNECTIVITY, *MIGRATION),
        checks=(
            check("both-orders"),
            check("message-delivered", ue="ue2", system="mc1"),
            check("deregistered", ue="ue1", system="mc1"),
            check("deregistered", ue="ue2", system="mc1"),
            check("nothing-on", leg="csc-y"),
        ),
    ),
)
