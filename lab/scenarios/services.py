"""Scenarios of what a migrated user has of it: services of the partner's core after step 14 of 10.6.2."""

from typing import Final

from lab.scenarios.migrations import MIGRATED, SERVED
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Call, Message, Scenario, check

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
)
