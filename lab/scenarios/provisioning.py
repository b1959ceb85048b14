"""Scenarios about how sets and configuration data come to be: pools that run out, off-line data, several partners."""

from typing import Final

from lab.scenarios.migrations import DETAILS, IN_MC2, IN_MC3, MIGRATED, SERVED, migrate
from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Scenario, check
from lab.scenarios.system_steps import AwaitBindings, ChangeBindings, EnterConnectionDetails, ImportBinding
from lab.scenarios.ue_steps import Authenticate, Deregister, GetConnectionDetails, Move, Register

FIRST_OF_MC2: Final = "mig-k3v9tq7wz1pd5xhb8mfa@ims.mc2.lab"
POOL_OF_ONE: Final = [
    {"private_user_identity": FIRST_OF_MC2, "public_user_identities": [f"sip:{FIRST_OF_MC2}"]},
]

PROVISIONING: Final = (
    Scenario(
        name="pool-exhausted",
        what="The partner's pool is empty (step 10), then the user's own, whose one set is in quarantine (step 5).",
        ues=("ue1", "ue2"),
        settings={"systems.mc2.partner_allocation": "pool", "systems.mc2.inbound_sets": POOL_OF_ONE},
        steps=(
            Authenticate("ue1", "mc1"),
            DETAILS,
            Authenticate("ue2", "mc1"),
            GetConnectionDetails("ue2", "mc2", IN_MC2, status=409, refused_in="10.1.X.1-10"),
            AwaitBindings("mc1", "primary", count=1),
            ChangeBindings("mc1", "release", "primary"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=409, refused_in="10.1.X.1-5"),
        ),
        proves=CONNECTIVITY,
        absent=(*HOME[1:], *MIGRATION),
        checks=(
            check("http-refused", ue="ue2", wire="csc-4", status=409, step="10.1.X.1-10"),
            check("http-refused", ue="ue1", wire="csc-4", status=409, step="10.1.X.1-5"),
        ),
    ),
    Scenario(
        name="static-configuration",
        what="The initial UE configuration data was exchanged off-line: step 12 brings none, step 13 has it (NOTE 2).",
        settings={"systems.mc2.agreements.mc1.static": True},
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("configuration-off-line", ue="ue1"),),
    ),
    Scenario(
        name="pre-provisioned",
        what="Bindings and the UE's configuration were entered beforehand: no 10.1.X.1 at all, and 10.6.2 whole.",
        ues=("ue1", "ue3"),
        steps=(
            ImportBinding("ue1", "mc2"),
            EnterConnectionDetails("ue1", "mc2", FIRST_OF_MC2, (f"sip:{FIRST_OF_MC2}",), configured=True),
            Authenticate("ue1", "mc1"),
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
            *SERVED,
        ),
        proves=MIGRATION,
        absent=CONNECTIVITY,
        checks=(
            check("nothing-on", leg="csc-4"),
            check("nothing-on", leg="csc-x"),
            check("nothing-on", leg="csc-17"),
        ),
    ),
    Scenario(
        name="two-partners",
        what="A user migrates to one partner, then to another: sets of its own for each.",
        systems=("mc1", "mc2", "mc3"),
        steps=(
            *MIGRATED,
            Deregister("ue1", "mc2"),
            *migrate("ue1", "mc3", IN_MC3),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("sets-per-partner", ue="ue1", systems=["mc2", "mc3"]),
            check("sip-status", ue="ue1", system="mc3", method="REGISTER", status=200),
        ),
    ),
)
