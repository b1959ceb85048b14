"""The thirty steps: 10.1.X.1 (13), 10.6.1 (3) and 10.6.2 (14), each with its title, wire and check."""

from collections.abc import Callable
from typing import Final, NamedTuple

from lab.evidence.checks import authentication_information as information
from lab.evidence.checks import connectivity, home, registration
from lab.evidence.checks.finding import Finding
from lab.evidence.story import Evidence, Story

Check = Callable[[Story, Evidence], Finding]


class Step(NamedTuple):
    """One step of the procedures of TS 23.280 (CR)."""

    id: str
    title: str
    wire: str
    check: Check


# fmt: off
STEPS: Final = (
    Step("10.6.1-1",    "user authentication at the primary system",                  "CSC-1",  home.step_1),
    Step("10.6.1-2",    "connection to the SIP core: IMS-AKA challenge",              "SIP",    home.step_2),
    Step("10.6.1-3",    "SIP registration in the primary system",                     "SIP",    home.step_3),
    Step("10.1.X.1-1",  "get partner MC system connection details request",           "CSC-4",  connectivity.step_1),
    Step("10.1.X.1-2",  "check: user authorised for migration",                       "inner",  connectivity.step_2),
    Step("10.1.X.1-3",  "partner MC system determined",                               "inner",  connectivity.step_3),
    Step("10.1.X.1-4",  "get primary MC system SIP identities request",               "CSC-X",  connectivity.step_4),
    Step("10.1.X.1-5",  "primary migration set allocated and bound",                  "inner",  connectivity.step_5),
    Step("10.1.X.1-6",  "get primary MC system SIP identities response",              "CSC-X",  connectivity.step_6),
    Step("10.1.X.1-7",  "partner MC system access request",                           "CSC-17", connectivity.step_7),
    Step("10.1.X.1-8",  "check: primary system and user authorised at the partner",   "inner",  connectivity.step_8),
    Step("10.1.X.1-9",  "get partner MC system SIP identities request",               "CSC-X",  connectivity.step_9),
    Step("10.1.X.1-10", "partner set allocated and bound",                            "inner",  connectivity.step_10),
    Step("10.1.X.1-11", "get partner MC system SIP identities response",              "CSC-X",  connectivity.step_11),
    Step("10.1.X.1-12", "partner MC system access response",                          "CSC-17", connectivity.step_12),
    Step("10.1.X.1-13", "get partner MC system connection details response",          "CSC-4",  connectivity.step_13),
    Step("10.6.2-1",    "user authentication toward the partner (TS 33.180)",         "CSC-1",  registration.step_1),
    Step("10.6.2-2",    "SIP registration request with the partner identities",       "SIP",    registration.step_2),
    Step("10.6.2-3",    "get SIP authentication information request",                 "AAA-2",  information.step_3),
    Step("10.6.2-4",    "partner identities recognised, primary identities found",    "inner",  information.step_4),
    Step("10.6.2-5",    "get SIP authentication information request to the primary",  "CSC-Y",  information.step_5),
    Step("10.6.2-6",    "get SIP authentication information request to the database", "Cx",     information.step_6),
    Step("10.6.2-7",    "get SIP authentication information response of the database", "Cx",    information.step_7),
    Step("10.6.2-8",    "get SIP authentication information response to the partner", "CSC-Y",  information.step_8),
    Step("10.6.2-9",    "primary identities recognised, partner identities put back", "inner",  information.step_9),
    Step("10.6.2-10",   "get SIP authentication information response",                "AAA-2",  information.step_10),
    Step("10.6.2-11",   "SIP authentication challenge request",                       "SIP",    registration.step_11),
    Step("10.6.2-12",   "SIP authentication challenge response",                      "SIP",    registration.step_12),
    Step("10.6.2-13",   "SIP registration response",                                  "SIP",    registration.step_13),
    Step("10.6.2-14",   "registered: a service reaches the UE",                       "SIP",    registration.step_14),
)
# fmt: on

STEP_IDS: Final = tuple(step.id for step in STEPS)
