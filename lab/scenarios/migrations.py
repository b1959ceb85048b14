"""Scenarios in which a user migrates: 10.1.X.1 and 10.6.2 whole, in every mode and with what comes after."""

from typing import Any, Final

from lab.scenarios.model import CONNECTIVITY, HOME, MIGRATION, Scenario, Step, check
from lab.scenarios.system_steps import Kill, Start
from lab.scenarios.ue_steps import (
    Attach,
    Authenticate,
    Deregister,
    GetConnectionDetails,
    Isim,
    Message,
    Move,
    Refresh,
    Register,
)

IN_MC1: Final[dict[str, Any]] = {"coordinates": {"latitude": 60.2, "longitude": 25.0}}
IN_MC2: Final[dict[str, Any]] = {"coordinates": {"latitude": 60.2, "longitude": 25.2}}
IN_MC3: Final[dict[str, Any]] = {"coordinates": {"latitude": 60.2, "longitude": 25.4}}
CELL_OF_MC2: Final[dict[str, Any]] = {"ecgi": "00102-0000201"}

RANDOM: Final = {
    "systems.mc1.primary_allocation": "random",
    "systems.mc1.partner_allocation": "random",
    "systems.mc1.hss_identities": "default",
    "systems.mc2.primary_allocation": "random",
    "systems.mc2.partner_allocation": "random",
    "systems.mc2.hss_identities": "default",
}
USER_UNKNOWN: Final = 5001
SEVERAL: Final = [f"sip:alice{suffix}@ims.mc1.lab" for suffix in ("", ".duty", ".fleet")]
SEVERAL_LENT: Final = [f"sip:mig-{name}@ims.mc1.lab" for name in ("p5xw0c8jr3kd", "7qhz1vtn4myb", "e6ua2fls9gio")]

DETAILS: Final = GetConnectionDetails("ue1", "mc2", IN_MC2, partner_given="mc2")


def migrate(ue: str, partner: str, location: dict[str, Any]) -> tuple[Step, ...]:
    """Return what takes a UE that is authenticated at home to a partner, and registers it there."""
    return (
        GetConnectionDetails(ue, partner, location, partner_given=partner),
        Move(ue, partner),
        Authenticate(ue, partner),
        Register(ue, partner),
    )


MIGRATED: Final[tuple[Step, ...]] = (Authenticate("ue1", "mc1"), *migrate("ue1", "mc2", IN_MC2))
SERVED: Final[tuple[Step, ...]] = (Register("ue3", "mc2"), Message("ue3", "mc2", "ue1", "mc2"))
"""A user of the partner sends the migrated one a MESSAGE (10.6.2 step 14)."""

ALL: Final = (*HOME, *CONNECTIVITY, *MIGRATION)

MIGRATIONS: Final = (
    Scenario(
        name="migration",
        what="A user registers at home, asks for a partner, drives there, registers, and is reached: all thirty steps.",
        ues=("ue1", "ue3"),
        steps=(
            Authenticate("ue1", "mc1"),
            Register("ue1", "mc1"),
            DETAILS,
            Deregister("ue1", "mc1"),
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
            *SERVED,
        ),
        proves=ALL,
        checks=(
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
            check("message-delivered", ue="ue1", system="mc2"),
            check("hss-asked-for", ue="ue1", identities="lent"),
            check("time-between", ue="ue1", first="10.6.2-2", last="10.6.2-13", at_most_s=2.0),
        ),
    ),
    Scenario(
        name="migration-by-location",
        what="No partner is named: the cell that the UE is in decides, among two partners (10.1.X.1 step 3).",
        systems=("mc1", "mc2", "mc3"),
        steps=(
            Authenticate("ue1", "mc1"),
            GetConnectionDetails("ue1", None, CELL_OF_MC2, partner_given="mc2"),
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        absent=HOME[1:],
        checks=(check("partner-chosen", ue="ue1", system="mc2"),),
    ),
    Scenario(
        name="pool-set",
        what="Both migration management servers take their sets from pools, as configured.",
        ues=("ue1", "ue3"),
        settings={"systems.mc1.primary_allocation": "pool", "systems.mc2.partner_allocation": "pool"},
        steps=(*MIGRATED, *SERVED),
        proves=(*CONNECTIVITY, *MIGRATION),
        checks=(check("hss-asked-for", ue="ue1", identities="lent"),),
    ),
    Scenario(
        name="sip-database-set",
        what="The primary MMS asks the SIP database: one of its two sets is not known there, the other one is lent.",
        ues=("ue1", "ue3"),
        settings={
            "systems.mc1.primary_allocation": "sip-database",
            "users.alice.migration_sets.0.known_to_hss": False,
            "users.alice.migration_sets.1.partner": "mc2",
        },
        steps=(*MIGRATED, *SERVED),
        proves=(*CONNECTIVITY, *MIGRATION),
        checks=(
            check("diameter-answer", leg="hss", command="UAR", code=USER_UNKNOWN, system="mc1"),
            check("hss-asked-for", ue="ue1", identities="lent"),
        ),
    ),
    Scenario(
        name="random-set",
        what="Both migration management servers make their sets at random; the HSS is asked for the ISIM's own.",
        settings=RANDOM,
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("hss-asked-for", ue="ue1", identities="default"),),
    ),
    Scenario(
        name="hss-default-identities",
        what="The sets come from a pool, but an HSS that knows subscribers by IMSI only is asked for the ISIM's own.",
        settings={"systems.mc1.hss_identities": "default", "systems.mc1.hss_mode": "imsi-only"},
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("hss-asked-for", ue="ue1", identities="default"),),
    ),
    Scenario(
        name="several-impus",
        what="A user with three public user identities: the sets have three each, paired by position.",
        settings={
            "users.alice.isim.public_user_identities": SEVERAL,
            "users.alice.migration_sets.0.public_user_identities": SEVERAL_LENT,
        },
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("impus-paired", ue="ue1", count=3),),
    ),
    Scenario(
        name="two-ues",
        what="Two users of one system migrate to the same partner; nothing that one was lent is the other's.",
        ues=("ue1", "ue2"),
        steps=(
            *MIGRATED,
            Authenticate("ue2", "mc1"),
            *migrate("ue2", "mc2", IN_MC2),
            Message("ue1", "mc2", "ue2", "mc2"),
        ),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("distinct-sets", ues=["ue1", "ue2"]),
            check("message-delivered", ue="ue2", system="mc2"),
        ),
    ),
    Scenario(
        name="both-ways",
        what="A user of each system migrates to the other: every system is primary for its own and partner for others.",
        ues=("ue1", "ue3"),
        steps=(*MIGRATED, Authenticate("ue3", "mc2"), *migrate("ue3", "mc1", IN_MC1)),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("sip-status", ue="ue1", system="mc2", method="REGISTER", status=200),
            check("sip-status", ue="ue3", system="mc1", method="REGISTER", status=200),
            check("distinct-sets", ues=["ue1", "ue3"]),
        ),
    ),
    Scenario(
        name="refresh",
        what="A migrated UE registers again before its registration ends: challenged afresh, over CSC-Y.",
        steps=(*MIGRATED, Refresh("ue1", "mc2")),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("registrations", ue="ue1", system="mc2", count=2),),
    ),
    Scenario(
        name="deregistration",
        what="A migrated UE de-registers from the partner's core.",
        steps=(*MIGRATED, Deregister("ue1", "mc2")),
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("deregistered", ue="ue1", system="mc2"),),
    ),
    Scenario(
        name="resync",
        what="The ISIM is ahead of the HSS: resynchronisation over CSC-Y, registered at home and after an HSS restart.",
        steps=(
            Authenticate("ue1", "mc1"),
            Register("ue1", "mc1"),
            DETAILS,
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Isim("ue1"),
            Register("ue1", "mc2"),
            Kill("hss.mc1"),
            Start("hss.mc1"),
            Isim("ue1"),
            Register("ue1", "mc2", patience_s=5),
        ),
        proves=(*HOME, *CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("resynchronised", ue="ue1", system="mc2"),
            check("registrations", ue="ue1", system="mc2", count=2),
            check("home-registration-kept", ue="ue1"),
        ),
    ),
    Scenario(
        name="home-registered",
        what="The UE stays registered at home over a second interface: reached in both systems, and at home after.",
        ues=("ue1", "ue2", "ue3"),
        steps=(
            Authenticate("ue1", "mc1"),
            Register("ue1", "mc1"),
            Register("ue2", "mc1"),
            DETAILS,
            Attach("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
            *SERVED,
            Message("ue2", "mc1", "ue1", "mc1", text="still at home?"),
            Deregister("ue1", "mc2"),
            Message("ue2", "mc1", "ue1", "mc1", text="home again?"),
        ),
        proves=ALL,
        checks=(
            check("message-delivered", ue="ue1", system="mc1"),
            check("message-delivered", ue="ue1", system="mc2"),
            check("home-registration-kept", ue="ue1"),
            check("deregistered", ue="ue1", system="mc2"),
        ),
    ),
    Scenario(
        name="return-home",
        what="A migrated UE de-registers, drives home and registers there again; its home configuration was kept.",
        steps=(
            Authenticate("ue1", "mc1"),
            Register("ue1", "mc1"),
            DETAILS,
            Deregister("ue1", "mc1"),
            Move("ue1", "mc2"),
            Authenticate("ue1", "mc2"),
            Register("ue1", "mc2"),
            Deregister("ue1", "mc2"),
            Move("ue1", "mc1"),
            Register("ue1", "mc1"),
        ),
        proves=(*HOME, *CONNECTIVITY, *MIGRATION[:13]),
        checks=(
            check("deregistered", ue="ue1", system="mc2"),
            check("registrations", ue="ue1", system="mc1", count=2),
        ),
    ),
)
