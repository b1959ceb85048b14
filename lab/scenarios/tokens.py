"""Scenarios about tokens: what the identity management servers refuse (10.6.2 step 1)."""

from typing import Final

from lab.scenarios.migrations import DETAILS, IN_MC2, MIGRATED, migrate
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Scenario, check
from lab.scenarios.system_steps import ReplayAssertion, RotateKey
from lab.scenarios.ue_steps import Authenticate, GetConnectionDetails, Move, Register

TOKENS: Final = (
    Scenario(
        name="token-exchange-refused",
        what="The partner's IdMS takes the primary's word for one user and not for another (RFC 7523).",
        ues=("ue1", "ue2"),
        settings={"systems.mc2.agreements.mc1.vouched_users": ["sip:carol@mc1.lab"]},
        steps=(
            Authenticate("ue1", "mc1"),
            DETAILS,
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2", status=400),
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("token-refused", ue="ue1", system="mc2", error="invalid_grant"),
            check("sip-status", ue="ue2", system="mc2", method="REGISTER", status=200),
        ),
    ),
    Scenario(
        name="idms-key-rotation",
        what="The primary's IdMS signs with a new key: tokens of both keys are taken, and nothing is restarted.",
        ues=("ue1", "ue2"),
        steps=(
            Authenticate("ue1", "mc1"),
            DETAILS,
            RotateKey("mc1"),
            Authenticate("ue2", "mc1"),
            DETAILS,
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
            # A CMS asks for the keys once in 10 s at the most, whatever keys tokens claim to be signed with.
            GetConnectionDetails("ue2", "mc2", IN_MC2, partner_given="mc2", patience_s=12),
            *migrate("ue2", "mc2", IN_MC2)[1:],
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("two-signing-keys", system="mc1"),),
    ),
    Scenario(
        name="token-replayed",
        what="A security token that was used is used again: the partner's IdMS refuses it by its jti.",
        steps=(*MIGRATED, ReplayAssertion("ue1", "mc2")),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("assertion-serves-once", ue="ue1", system="mc2"),),
    ),
)
