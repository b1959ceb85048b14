"""Scenarios of what a migrated user has of it: services of the partner's core after step 14 of 10.6.2."""

from typing import Final

from lab.scenarios.migrations import DETAILS, MIGRATED, SERVED
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Scenario, Step, Wait, check
from lab.scenarios.ue_steps import Authenticate, Call, Message, Move, Register

ARRIVED: Final[tuple[Step, ...]] = (
    Authenticate("ue1", "mc1"),
    DETAILS,
    Move("ue1", "mc2"),
    Authenticate("ue1", "mc2"),
)

ANSWERED: Final = Wait(1.5)
"""The UE's 200 does not wait for the MC service server, which asks for keys first (TS 24.229 §5.4.1.7)."""

SERVICES: Final = (
    Scenario(
        name="services",
        what="A user of the partner and the migrated one send each other a MESSAGE and call each other, with RTP.",
        ues=("ue1", "ue3"),
        steps=(
            *MIGRATED,
            *SERVED,
            Message("ue1", "mc2", "ue3", "mc2", text="here I am"),
            Call("ue3", "mc2", "ue1", "mc2"),
            Call("ue1", "mc2", "ue3", "mc2", ended_by="callee"),
            Call("ue3", "mc2", "ue1", "mc2", status=486),
        ),
        proves=(*CONNECTIVITY, *MIGRATION),
        checks=(
            check("message-delivered", ue="ue1", system="mc2"),
            check("message-delivered", ue="ue3", system="mc2"),
            check("called", caller="ue3", callee="ue1", system="mc2", packets=25),
            check("called", caller="ue1", callee="ue3", system="mc2", packets=25),
            check("call-refused", caller="ue3", callee="ue1", system="mc2", status=486),
        ),
    ),
    Scenario(
        name="service-authorisation",
        what="The migrated UE's REGISTER carries its access token; the partner's MC service server authorises it.",
        settings={"systems.mc2.mc_service": True},
        steps=(*ARRIVED, Register("ue1", "mc2", vouched_by="mc2"), ANSWERED),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("service-authorised", ue="ue1", system="mc2"),),
    ),
    Scenario(
        name="service-authorisation-refused",
        what="No access token, then one of the home's IdMS: the partner's MC service server refuses, then authorises.",
        settings={"systems.mc2.mc_service": True},
        steps=(
            *ARRIVED,
            Register("ue1", "mc2"),
            Register("ue1", "mc2", vouched_by="mc1"),
            Register("ue1", "mc2", vouched_by="mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("service-refused", ue="ue1", system="mc2", issuer=""),
            check("service-refused", ue="ue1", system="mc2", issuer="https://idms.mc1.lab"),
            check("service-authorised", ue="ue1", system="mc2"),
        ),
    ),
    Scenario(
        name="service-authorisation-audience",
        what="The access token is for another server: the partner's MC service server refuses it.",
        settings={"systems.mc2.mc_service": True, "systems.mc2.mc_service_audience": False},
        steps=(*ARRIVED, Register("ue1", "mc2", vouched_by="mc2"), ANSWERED),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("service-refused", ue="ue1", system="mc2", issuer="https://idms.mc2.lab"),),
    ),
)
