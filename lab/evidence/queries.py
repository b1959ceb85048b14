"""Questions that several checks ask of the evidence."""

from lab.evidence.messages import DiameterMessage
from lab.evidence.story import Evidence, Story, leg_of

BASE_PROTOCOL = frozenset({257, 280, 282})


def story_of(evidence: Evidence, ue: str) -> Story:
    """Return the story of one UE.

    Raises:
        KeyError: no such UE in the run.
    """
    for story in evidence.stories:
        if story.ue.name == ue:
            return story
    raise KeyError(f"no UE {ue} in this run")


def diameter_on(evidence: Evidence, leg: str, command: int = 0, system: str = "") -> list[DiameterMessage]:
    """Return the messages on a leg, of one command and one system's hosts where given; CER, DWR, DPR aside."""
    facts = evidence.facts
    return [
        m
        for m in evidence.capture.diameter
        if leg_of(m.frame, facts) == leg
        and m.command_code not in BASE_PROTOCOL
        and (not command or m.command_code == command)
        and (not system or system in (facts.system_of(m.frame.source), facts.system_of(m.frame.destination)))
    ]


def request_of(evidence: Evidence, answer: DiameterMessage) -> DiameterMessage | None:
    """Return the request that an answer belongs to: same connection, same Hop-by-Hop (RFC 6733 §3)."""
    for message in evidence.capture.diameter:
        if (
            message.is_request
            and message.frame.stream == answer.frame.stream
            and message.hop_by_hop == answer.hop_by_hop
            and message.command_code == answer.command_code
        ):
            return message
    return None


def hexadecimal(message: DiameterMessage) -> str:
    """Return all AVPs of a message in hexadecimal."""
    return "".join(avp.octets for avp in message.avps)
