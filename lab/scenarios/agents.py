"""Scenarios with agents of both SIP cores between the proxies and before the HSS (NOTE 2 and NOTE 3 of 10.6.2)."""

from typing import Final

from lab.scenarios.migrations import ALL, MIGRATIONS
from lab.scenarios.model import Scenario, check

_STEPS: Final = next(one for one in MIGRATIONS if one.name == "migration").steps
_UES: Final = ("ue1", "ue3")
_CHECKS: Final = (
    check("through-agents", ue="ue1", csc_y=["edge.mc2.lab", "edge.mc1.lab"], hss=["dra.mc1.lab"]),
    check("hss-asked-for", ue="ue1", identities="lent"),
)

AGENTS: Final = (
    Scenario(
        name="with-dra",
        what="freeDiameter as the agents of both SIP cores: between the Diameter proxies, and before the HSSs.",
        settings={"systems.mc1.agents": "freediameter", "systems.mc2.agents": "freediameter"},
        ues=_UES,
        steps=_STEPS,
        proves=ALL,
        checks=_CHECKS,
    ),
    Scenario(
        name="with-dra-ours",
        what="Other instances of the Diameter proxy in both SIP cores, as plain relays (7.4.3.1.X).",
        settings={"systems.mc1.agents": "diameter-proxy", "systems.mc2.agents": "diameter-proxy"},
        ues=_UES,
        steps=_STEPS,
        proves=ALL,
        checks=_CHECKS,
    ),
)
