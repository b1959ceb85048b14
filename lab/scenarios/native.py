"""Registration in the primary MC system (10.6.1): the ground that migration stands on, and a core to compare with."""

from typing import Final

from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Authenticate, Deregister, Register, Scenario, check

NATIVE: Final = (
    Scenario(
        name="native",
        what="A user authenticates, then the UE registers in its primary system (10.6.1, step 1 first).",
        systems=("mc1",),
        steps=(Authenticate("ue1", "mc1"), Register("ue1", "mc1"), Deregister("ue1", "mc1")),
        proves=HOME,
        absent=(*CONNECTIVITY, *MIGRATION),
        checks=(
            check("sip-status", ue="ue1", system="mc1", method="REGISTER", status=200),
            check("deregistered", ue="ue1", system="mc1"),
            check("nothing-on", leg="csc-y"),
        ),
    ),
    Scenario(
        name="native-register-first",
        what="The UE registers, then the user authenticates with code and PKCE (10.6.1, step 1 after step 3).",
        systems=("mc1",),
        steps=(Register("ue1", "mc1"), Authenticate("ue1", "mc1", flow="code"), Deregister("ue1", "mc1")),
        proves=HOME,
        absent=(*CONNECTIVITY, *MIGRATION),
        checks=(check("deregistered", ue="ue1", system="mc1"), check("nothing-on", leg="csc-y")),
    ),
)
