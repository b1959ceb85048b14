"""Which wire a frame was on, from the roles at its two ends."""

from typing import Final

from lab.evidence.facts import RunFacts
from lab.evidence.messages import Frame

_LEGS: Final = (
    ({"ue", "pcscf"}, "gm"),
    ({"icscf", "proxy"}, "aaa-2"),
    ({"scscf", "proxy"}, "aaa-2"),
    ({"probe", "proxy"}, "aaa-2"),
    ({"proxy", "hss"}, "hss"),
    ({"mms", "hss"}, "hss"),
    ({"icscf", "hss"}, "hss"),
    ({"scscf", "hss"}, "hss"),
    ({"proxy", "mms"}, "mms"),
    ({"proxy"}, "csc-y"),
    ({"proxy", "edge"}, "csc-y"),
    ({"edge"}, "csc-y"),
    ({"proxy", "dra"}, "hss"),
    ({"dra", "hss"}, "hss"),
    ({"ue", "cms"}, "csc-4"),
    ({"cms", "mms"}, "csc-x"),
    ({"cms"}, "csc-17"),
    ({"ue", "idms"}, "idms"),
    ({"cms", "idms"}, "idms"),
    ({"mcs", "idms"}, "idms"),
    ({"scscf", "mcs"}, "isc"),
)
LEGS: Final = frozenset({*(leg for _, leg in _LEGS), "feed"})
HTTPS: Final = 443


def leg_of(frame: Frame, facts: RunFacts) -> str:
    """Return the wire between the two ends: ``aaa-2``, ``csc-y``, ``hss``, ``mms``, ``gm``, ``csc-4``, ... ."""
    roles = {facts.role(frame.source), facts.role(frame.destination)}
    for ends, leg in _LEGS:
        if roles == ends:
            return leg
    return "-".join(sorted(roles))


def wire_of(frame: Frame, facts: RunFacts) -> str:
    """Return the wire, the feed told from Cx: between an MMS and a proxy HTTPS is the feed."""
    leg = leg_of(frame, facts)
    return "feed" if leg == "mms" and HTTPS in (frame.source_port, frame.destination_port) else leg
