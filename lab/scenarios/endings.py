"""Scenarios in which a migration ends before the user wants it: withdrawn, cancelled at home, expired."""

from typing import Final

from lab.scenarios.migrations import IN_MC1, IN_MC2, IN_MC3, MIGRATED, SERVED, migrate
from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Scenario, check
from lab.scenarios.refusals import ALICE_LENT, CAROL, DIAMETER_ROAMING_NOT_ALLOWED, DIAMETER_USER_UNKNOWN
from lab.scenarios.system_steps import AwaitBindings, Hss, Kill, Restore, Start, Withdraw
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Message, Move, Refresh, Register

ENDED: Final = AwaitBindings("mc2", "partner", state="ended")
"""The partner's MMS has taken the registration off; the set is not lent again yet."""
NOT_HERE: Final = (480, 604)
"""LIA 5003 or 5001: not registered, or no such user any more."""

ENDINGS: Final = (
    Scenario(
        name="withdrawal",
        what="A user is withdrawn for one partner: taken off and refused there, let in at another; then restored.",
        systems=("mc1", "mc2", "mc3"),
        ues=("ue1", "ue3"),
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", "mc3", IN_MC3, partner_given="mc3"),
            *migrate("ue1", "mc2", IN_MC2),
            *SERVED,
            Withdraw("ue1", "mc2", reason="no longer for mc2"),
            ENDED,
            Message("ue3", "mc2", "ue1", "mc2", text="still there?", status=NOT_HERE),
            Message("ue1", "mc2", "ue3", "mc2", text="I go on", status=403, patience_s=4),
            Register("ue1", "mc2", status=403),
            Move("ue1", "mc3"),
            Authenticate("ue1", "mc3"),
            Register("ue1", "mc3"),
            Restore("ue1", "mc2"),
            AwaitBindings("mc2", "partner", state="served"),
            Move("ue1", "mc2"),
            Register("ue1", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION),
        checks=(
            check("withdrawal-told", ue="ue1", system="mc2"),
            check("registration-terminated", ue="ue1", system="mc2", within_s=2.0),
            check("registration-event", ue="ue1", system="mc2", state="terminated"),
            check("message-refused", ue="ue1", system="mc2", status=NOT_HERE),
            check("sip-status", ue="ue1", system="mc2", method="MESSAGE", status=403),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_ROAMING_NOT_ALLOWED, system="mc2"),
            check("sip-got", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-status", ue="ue1", system="mc3", method="REGISTER", status=200),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
            check("sets-per-partner", ue="ue1", systems=["mc2", "mc3"]),
        ),
    ),
    Scenario(
        name="withdrawal-partner-down",
        what="The partner cannot be told of a withdrawal: the primary refuses at once, and tells it when it is back.",
        steps=(
            *MIGRATED,
            Kill("cms.mc2"),
            Withdraw("ue1", "mc2", reason="withdrawn while the partner is away"),
            Refresh("ue1", "mc2", status=403),
            Start("cms.mc2"),
            ENDED,
            Register("ue1", "mc2", status=403),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("diameter-answer", leg="csc-y", command="MAR", code=DIAMETER_USER_UNKNOWN),
            check("refused-before-told", ue="ue1", system="mc2"),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_ROAMING_NOT_ALLOWED, system="mc2"),
            check("withdrawal-told", ue="ue1", system="mc2"),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
        ),
    ),
    Scenario(
        name="hss-cancels",
        what="The primary's HSS cancels one user by the lent set and one by the default set: both are ended abroad.",
        ues=("ue1", "ue2"),
        steps=(
            *MIGRATED,
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2),
            Hss("mc1", {"command": "rtr", "private_user_identity": ALICE_LENT}),
            ENDED,
            Hss("mc1", {"command": "rtr", "private_user_identity": CAROL}),
            AwaitBindings("mc2", "partner", state="ended", count=2),
            Register("ue1", "mc2", status=403),
            Register("ue2", "mc2", status=403),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("cancelled-by-hss", ue="ue1", identities="lent"),
            check("cancelled-by-hss", ue="ue2", identities="default"),
            check("registration-terminated", ue="ue1", system="mc2", within_s=2.0),
            check("registration-terminated", ue="ue2", system="mc2", within_s=2.0),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-status", ue="ue2", system="mc2", method="REGISTER", status=403),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_ROAMING_NOT_ALLOWED, system="mc2"),
        ),
    ),
    Scenario(
        name="expiry",
        what="A binding's validity ends while the user is registered: taken off, refused, its sets not lent again yet.",
        settings={"systems.mc1.valid_s": 8, "systems.mc2.valid_s": 8},
        steps=(
            *MIGRATED,
            ENDED,
            Register("ue1", "mc2", status=403),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=409, refused_in="10.1.X.1-5"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("registration-terminated", ue="ue1", system="mc2", within_s=2.0),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("http-refused", ue="ue1", wire="csc-4", status=409, step="10.1.X.1-5"),
        ),
    ),
    Scenario(
        name="agreement-expired",
        what="One side's agreement is over: it lets nobody in (step 8), and sends nobody out (step 3).",
        ues=("ue1", "ue3"),
        settings={"systems.mc2.agreements.mc1.valid_until": "2026-01-01T00:00:00Z"},
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=403, refused_in="10.1.X.1-8"),
            Authenticate("ue3", "mc2"),
            GetConnectionDetails("ue3", "mc1", IN_MC1, status=404, refused_in="10.1.X.1-3"),
        ),
        proves=CONNECTIVITY[:7],
        absent=(*HOME[1:], *CONNECTIVITY[8:], *MIGRATION),
        checks=(
            check("http-refused", ue="ue1", wire="csc-4", status=403, step="10.1.X.1-8"),
            check("http-refused", ue="ue3", wire="csc-4", status=404, step="10.1.X.1-3"),
        ),
    ),
)
