"""Scenarios in which a server of migration is away: what goes on without it, what waits, and what comes back."""

from typing import Final

from lab.scenarios.migrations import IN_MC2, MIGRATED, migrate
from lab.scenarios.model import CONNECTIVITY, MIGRATION, During, Scenario, Wait, check
from lab.scenarios.refusals import DIAMETER_UNABLE_TO_DELIVER
from lab.scenarios.system_steps import AwaitBindings, Kill, Pause, Resume, Start
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Message, Refresh, Register

OUTAGES: Final = (
    Scenario(
        name="primary-mms-down",
        what="The primary's MMS is dead: nobody new is let out (step 4), who was let out registers all the same.",
        ues=("ue1", "ue2"),
        steps=(
            *MIGRATED[:-1],
            Authenticate("ue2", "mc1"),
            Kill("mms.mc1"),
            GetConnectionDetails("ue2", "mc2", IN_MC2, status=503, refused_in="10.1.X.1-4"),
            Register("ue1", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("http-refused", ue="ue2", wire="csc-4", status=503, step="10.1.X.1-4"),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="partner-mms-down",
        what="The partner's MMS is silent: 504 in time for who comes, the registered go on, and it passes by itself.",
        ues=("ue1", "ue2", "ue3"),
        steps=(
            *MIGRATED,
            Register("ue3", "mc2"),
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2)[:-1],
            Pause("mms.mc2"),
            Register("ue2", "mc2", status=504),
            Message("ue1", "mc2", "ue3", "mc2", text="I am still here"),
            Resume("mms.mc2"),
            Register("ue2", "mc2", patience_s=5),
            Message("ue1", "mc2", "ue2", "mc2", text="welcome"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("sip-got", ue="ue2", system="mc2", method="REGISTER", status=504, within_s=2.5),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_UNABLE_TO_DELIVER, within_s=1.8),
            check("sip-never", ue="ue2", system="mc2", method="REGISTER", status=403),
            check("message-delivered", ue="ue3", system="mc2"),
            check("message-delivered", ue="ue2", system="mc2"),
            check("sip-status", ue="ue2", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="two-mms-one-killed",
        what="Each system has two MMS instances over one store, and one of them dies: the other serves all the same.",
        ues=("ue1", "ue2"),
        settings={"systems.mc1.mms_instances": 2, "systems.mc2.mms_instances": 2},
        steps=(
            *MIGRATED,
            Kill("mms.mc1"),
            Kill("mms.mc2"),
            Refresh("ue1", "mc2"),
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2),
            Message("ue1", "mc2", "ue2", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("instance-lost", ue="ue2", system="mc1"),
            check("instance-lost", ue="ue2", system="mc2"),
            check("registrations", ue="ue1", system="mc2", count=2),
            check("sip-status", ue="ue2", system="mc2", method="REGISTER", status=200),
            check("message-delivered", ue="ue2", system="mc2"),
        ),
    ),
    Scenario(
        name="cms-killed-after-step-6",
        what="The primary's CMS dies between steps 6 and 7: what was held lapses, and the same request then succeeds.",
        settings={"systems.mc1.held_s": 3, "systems.mc2.held_s": 3},
        steps=(
            Authenticate("ue1", "mc1"),
            Pause("cms.mc2"),
            During(
                GetConnectionDetails("ue1", "mc2", IN_MC2, status=0),
                (AwaitBindings("mc1", "primary", state="held"), Kill("cms.mc1")),
            ),
            Resume("cms.mc2"),
            Start("cms.mc1"),
            AwaitBindings("mc1", "primary", count=0),
            AwaitBindings("mc2", "partner", count=0),
            *migrate("ue1", "mc2", IN_MC2),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("hold-lapsed", system="mc1", role="primary"),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="stale-map",
        what="The proxies have not heard of their MMS for too long: lent identities wait (504), own users go on.",
        ues=("ue1", "ue2"),
        settings={"systems.mc1.max_map_age_s": 3.0},
        steps=(
            *MIGRATED[:-1],
            Kill("mms.mc1"),
            Wait(3.5),
            Register("ue1", "mc2", status=504),
            Register("ue2", "mc1"),
            Start("mms.mc1"),
            Register("ue1", "mc2", patience_s=10),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("diameter-answer", leg="csc-y", command="MAR", code=DIAMETER_UNABLE_TO_DELIVER),
            check("sip-got", ue="ue1", system="mc2", method="REGISTER", status=504, within_s=2.5),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-status", ue="ue2", system="mc1", method="REGISTER", status=200),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
)
