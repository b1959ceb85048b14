"""Questions that several checks ask of the evidence."""

from lab.evidence.index import Exchange
from lab.evidence.messages import DiameterMessage
from lab.evidence.story import Evidence, LentSets, Story


def story_of(evidence: Evidence, ue: str) -> Story:
    """Return the story of one UE that went furthest, the first of them.

    Raises:
        KeyError: no such UE in the run.
    """
    found = [story for story in evidence.stories if story.ue.name == ue]
    if not found:
        raise KeyError(f"no UE {ue} in this run")
    return max(found, key=_progress)


def stories_in(evidence: Evidence, ue: str, system: str) -> list[Story]:
    """Return the stories of a UE that are about one partner: those of requests for it and of registrations in it."""
    return [story for story in evidence.stories if story.ue.name == ue and system in _partners_of(story, evidence)]


def sets_in(evidence: Evidence, ue: str, system: str) -> LentSets:
    """Return the sets last lent to a UE for a partner; empty ones where there are none."""
    known = [story.sets for story in stories_in(evidence, ue, system) if story.sets.partner]
    return known[-1] if known else LentSets()


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


def _partners_of(story: Story, evidence: Evidence) -> set[str]:
    asked = evidence.facts.system_of(story.access.request.frame.destination) if story.access else ""
    return {asked, story.partner.system if story.partner else ""} - {""}


def _progress(story: Story) -> int:
    if story.partner is None:
        return 1 if story.details else 0
    return 3 if story.partner.final and story.partner.final.status == 200 else 2
