"""Questions that several checks ask of the evidence."""

from lab.evidence.index import Exchange
from lab.evidence.messages import DiameterMessage
from lab.evidence.story import Evidence, Story


def story_of(evidence: Evidence, ue: str) -> Story:
    """Return the story of one UE that went furthest, the first of them.

    Raises:
        KeyError: no such UE in the run.
    """
    found = [story for story in evidence.stories if story.ue.name == ue]
    if not found:
        raise KeyError(f"no UE {ue} in this run")
    return max(found, key=_progress)


def diameter_on(evidence: Evidence, leg: str, command: int = 0, system: str = "") -> list[DiameterMessage]:
    """Return the messages on a leg, of one command and one system's hosts where given; CER, DWR, DPR aside."""
    facts = evidence.facts
    return [
        m
        for m in evidence.index.diameter(leg, command)
        if not system or system in (facts.system_of(m.frame.source), facts.system_of(m.frame.destination))
    ]


def is_from(evidence: Evidence, ue: str, exchange: Exchange) -> bool:
    """Tell an HTTP request that a UE sent."""
    return exchange.request.frame.source in story_of(evidence, ue).ue.addresses


def hexadecimal(message: DiameterMessage) -> str:
    """Return all AVPs of a message in hexadecimal."""
    return "".join(avp.octets for avp in message.avps)


def _progress(story: Story) -> int:
    if story.partner is None:
        return 1 if story.details else 0
    return 3 if story.partner.final and story.partner.final.status == 200 else 2
