"""Scenarios that end in a refusal or an outage: each names the step that refuses and what must not happen after it."""

from typing import Final

from lab.scenarios.migrations import DETAILS, IN_MC2, MIGRATED, migrate
from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Scenario, check
from lab.scenarios.system_steps import EnterConnectionDetails, Kill, Pause, Resume, SendDiameter, Start
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Move, Register

ALICE: Final = "001010000000001@ims.mc1.lab"
CAROL: Final = "001010000000002@ims.mc1.lab"
ALICE_LENT: Final = "mig-p5xw0c8jr3kd7qhz1vtn@ims.mc1.lab"
NOBODY: Final = "mig-n0b0dyh4sth1sb1nd1ngx@ims.mc2.lab"
DIAMETER_UNABLE_TO_DELIVER: Final = 3002
DIAMETER_USER_UNKNOWN: Final = 5001
DIAMETER_IDENTITIES_DONT_MATCH: Final = 5002
DIAMETER_ROAMING_NOT_ALLOWED: Final = 5004
DIAMETER_AUTH_SCHEME_NOT_SUPPORTED: Final = 5006

REFUSALS: Final = (
    Scenario(
        name="wrong-key",
        what="The ISIM has another K than the HSS: it rejects the network's token and sends no response.",
        settings={"ues.ue1.wrong_key": True},
        steps=(*MIGRATED[:-1], Register("ue1", "mc2", status=401)),
        proves=(*CONNECTIVITY, *MIGRATION[:11]),
        absent=MIGRATION[11:],
        checks=(check("challenge-unanswered", ue="ue1", system="mc2"),),
    ),
    Scenario(
        name="wrong-res",
        what="The response of the ISIM is not the one that the HSS expects: the partner's S-CSCF refuses.",
        settings={"systems.mc1.corrupt_res_for": [ALICE, ALICE_LENT]},
        steps=(*MIGRATED[:-1], Register("ue1", "mc2", status=403)),
        proves=(*CONNECTIVITY, *MIGRATION[:11]),
        absent=(MIGRATION[13],),
        checks=(
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="unbound-identity",
        what="An identity of the partner's lent range that nobody was lent: the partner's core does not know it.",
        steps=(
            EnterConnectionDetails("ue1", "mc2", NOBODY, (f"sip:{NOBODY}",)),
            Move("ue1", "mc2"),
            Register("ue1", "mc2", status=403),
        ),
        absent=(*CONNECTIVITY, *MIGRATION[2:]),
        checks=(
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_USER_UNKNOWN),
            check("nothing-on", leg="csc-y"),
        ),
    ),
    Scenario(
        name="mixed-identities",
        what="A private identity of one migrated user with a public one of another: refused, nothing forwarded.",
        ues=("ue1", "ue2"),
        settings={"systems.mc2.probe": True},
        steps=(
            Authenticate("ue1", "mc1"),
            DETAILS,
            Authenticate("ue2", "mc1"),
            GetConnectionDetails("ue2", "mc2", IN_MC2),
            SendDiameter("mc2", "ue1.mc2", "ue2.mc2", DIAMETER_IDENTITIES_DONT_MATCH),
            SendDiameter("mc2", "ue1.mc2", "sip:bob@ims.mc2.lab", DIAMETER_IDENTITIES_DONT_MATCH),
        ),
        proves=CONNECTIVITY,
        absent=(*HOME[1:], *MIGRATION),
        checks=(
            check("diameter-answer", leg="aaa-2", command="MAR", code=DIAMETER_IDENTITIES_DONT_MATCH),
            check("nothing-on", leg="csc-y"),
        ),
    ),
    Scenario(
        name="home-identity-at-partner",
        what="A UE registers at the partner with identities of the primary's HSS: neither the partner's nor lent.",
        # carol's, not the UE's own: that the UE itself shows its ISIM's set abroad is not what is judged here.
        steps=(
            EnterConnectionDetails("ue1", "mc2", CAROL, ("sip:carol@ims.mc1.lab",)),
            Move("ue1", "mc2"),
            Register("ue1", "mc2", status=403),
        ),
        absent=(*CONNECTIVITY, *MIGRATION[2:]),
        checks=(
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("diameter-answer", leg="aaa-2", command="UAR", code=DIAMETER_USER_UNKNOWN),
            check("nothing-on", leg="csc-y"),
        ),
    ),
    Scenario(
        name="foreign-isim",
        what="A user asks with another user's ISIM in the UE: the configuration management server refuses.",
        settings={"ues.ue1.isim_of": "carol"},
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=403, refused_in="10.1.X.1-1"),
        ),
        absent=(*CONNECTIVITY[1:], *MIGRATION),
        checks=(
            check("http-refused", ue="ue1", wire="csc-4", status=403, step="10.1.X.1-1"),
            check("nothing-on", leg="csc-x"),
        ),
    ),
    Scenario(
        name="not-authorised",
        what="The user is not enabled for migration: step 2 refuses, nothing goes further.",
        settings={"users.alice.migration": False},
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=403, refused_in="10.1.X.1-2"),
        ),
        absent=(*CONNECTIVITY[2:], *MIGRATION),
        checks=(
            check("http-refused", ue="ue1", wire="csc-4", status=403, step="10.1.X.1-2"),
            check("nothing-on", leg="csc-x"),
            check("nothing-on", leg="csc-17"),
        ),
    ),
    Scenario(
        name="partner-refuses",
        what="The partner lets nobody in from this system: step 8 refuses, and no partner set is allocated.",
        settings={"systems.mc2.agreements.mc1.inbound_users": []},
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", "mc2", IN_MC2, status=403, refused_in="10.1.X.1-8"),
        ),
        proves=CONNECTIVITY[:7],
        absent=(*CONNECTIVITY[8:], *MIGRATION),
        checks=(check("http-refused", ue="ue1", wire="csc-4", status=403, step="10.1.X.1-8"),),
    ),
    Scenario(
        name="sip-digest-refused",
        what="An S-CSCF asks for SIP Digest for a lent identity: only AKA migrates, because only AKA names nobody.",
        settings={"systems.mc2.probe": True},
        steps=(
            Authenticate("ue1", "mc1"),
            DETAILS,
            SendDiameter("mc2", "ue1.mc2", "ue1.mc2", DIAMETER_AUTH_SCHEME_NOT_SUPPORTED, scheme="SIP Digest"),
        ),
        proves=CONNECTIVITY,
        absent=MIGRATION,
        checks=(
            check("diameter-answer", leg="aaa-2", command="MAR", code=DIAMETER_AUTH_SCHEME_NOT_SUPPORTED),
            check("nothing-on", leg="csc-y"),
        ),
    ),
    Scenario(
        name="primary-hss-down",
        what="The primary's HSS is down: the UE is told to come again (504), not refused; and then it is registered.",
        steps=(
            Authenticate("ue1", "mc1"),
            *migrate("ue1", "mc2", IN_MC2)[:-1],
            Kill("hss.mc1"),
            Register("ue1", "mc2", status=504),
            Start("hss.mc1"),
            Register("ue1", "mc2", patience_s=5),
        ),
        proves=CONNECTIVITY,
        checks=(
            check("sip-got", ue="ue1", system="mc2", method="REGISTER", status=504, within_s=2.5),
            check("diameter-answer", leg="csc-y", command="MAR", code=DIAMETER_UNABLE_TO_DELIVER),
            check("diameter-answer", leg="aaa-2", command="MAR", code=DIAMETER_UNABLE_TO_DELIVER),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="primary-hss-silent",
        what="The primary's HSS takes requests and answers none: 504 in time, and registered once it answers again.",
        steps=(
            Authenticate("ue1", "mc1"),
            *migrate("ue1", "mc2", IN_MC2)[:-1],
            Pause("hss.mc1"),
            Register("ue1", "mc2", status=504),
            Resume("hss.mc1"),
            Register("ue1", "mc2", patience_s=5),
        ),
        proves=CONNECTIVITY,
        checks=(
            check("sip-got", ue="ue1", system="mc2", method="REGISTER", status=504, within_s=2.5),
            check("diameter-answer", leg="aaa-2", command="MAR", code=DIAMETER_UNABLE_TO_DELIVER, within_s=1.7),
            check("sip-never", ue="ue1", system="mc2", method="REGISTER", status=403),
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
        ),
    ),
)
