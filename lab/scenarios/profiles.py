"""Scenarios of the HSS profiles: the primary system's HSS has one trait of another implementation (docs/plug-in.md)."""

from typing import Final

from lab.scenarios.migrations import MIGRATED
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Scenario, check

PROFILES: Final = (
    Scenario(
        name="hss-after-uar",
        what="An HSS that refuses a MAR before a UAR (Open5GS): the primary proxy sends one of its own first.",
        settings={"systems.mc1.hss_mode": "after-uar", "systems.mc1.prime_with_uar": True},
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("hss-asked-for", ue="ue1", identities="lent"),),
    ),
    Scenario(
        name="hss-no-association",
        what="An HSS that looks at the private identity alone (PyHSS): the ISIM's own set is asked for.",
        settings={"systems.mc1.hss_mode": "no-association", "systems.mc1.hss_identities": "default"},
        steps=MIGRATED,
        proves=(*CONNECTIVITY, *MIGRATION[:13]),
        checks=(check("hss-asked-for", ue="ue1", identities="default"),),
    ),
)
