"""Where identities and keys may be seen: looked for in every decrypted message and in the raw octets of every frame.

Partner set: the partner's SIP and Cx, CSC-X, feed, CSC-17, CSC-4.  Primary migration set: CSC-X, feed, CSC-17, CSC-Y,
the primary's Cx.  The default ISIM set never leaves the primary system.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lab.evidence.checks.connectivity import partner_identities, partner_of, primary_identities_of_step_9
from lab.evidence.checks.finding import Finding, frame_filter, judged
from lab.evidence.facts import RunFacts
from lab.evidence.messages import Frame
from lab.evidence.story import Evidence, Story, digest_parameters, leg_of


class Seen(NamedTuple):
    """One decrypted message as text, and where it was."""

    frame: Frame
    leg: str
    systems: frozenset[str]
    text: str


def identities_stay(evidence: Evidence) -> Finding:
    """Every identity is seen only where it may be."""
    seen = tuple(messages(evidence))
    faults: list[str] = []
    frames: list[int] = []
    for story in evidence.stories:
        for identity, allowed, name in _rules(story, evidence):
            for message in seen:
                if identity in message.text and not _is_allowed(message, allowed):
                    faults.append(f"{name} {identity} in frame {message.frame.number} on {message.leg}")
                    frames.append(message.frame.number)
    return judged(frames, frame_filter(frames[:20]), faults[:5], f"{len(seen)} messages searched")


def keys_stay(evidence: Evidence) -> Finding:
    """CK and IK never reach a UE (TS 24.229 §5.2.2)."""
    faults = []
    frames = []
    for message in evidence.capture.sip:
        if evidence.facts.role(message.frame.destination) == "ue":
            found = {"ck", "ik"} & set(digest_parameters(message.header("www-authenticate")))
            if found:
                faults.append(f"{sorted(found)} in frame {message.frame.number}")
                frames.append(message.frame.number)
    return judged(frames, frame_filter(frames), faults)


def csc_y_is_tls(evidence: Evidence) -> Finding:
    """All Diameter between two MC systems is inside TLS."""
    faults = []
    frames = []
    for message in evidence.capture.diameter:
        ends = {evidence.facts.system_of(message.frame.source), evidence.facts.system_of(message.frame.destination)}
        if len(ends) == 2 and "" not in ends and not message.is_tls:
            faults.append(f"frame {message.frame.number} is plain Diameter between {' and '.join(sorted(ends))}")
            frames.append(message.frame.number)
    return judged(frames, "diameter && tls", faults)


def messages(evidence: Evidence) -> Iterator[Seen]:
    """Yield every decrypted message with its leg and the systems at its two ends."""
    facts = evidence.facts
    texts = [(m.frame, leg_of(m.frame, facts), m.text) for m in evidence.capture.sip]
    texts += [(m.frame, leg_of(m.frame, facts), m.text) for m in evidence.capture.diameter]
    texts += [(m.frame, _http_leg(m.frame, facts), m.path + "\n" + m.body) for m in evidence.capture.http]
    for frame, leg, text in texts:
        systems = frozenset({facts.system_of(frame.source), facts.system_of(frame.destination)} - {""})
        yield Seen(frame, leg, systems, text)


def _http_leg(frame: Frame, facts: RunFacts) -> str:
    """HTTP between the MMS and a proxy is the feed; Diameter between the same two is Cx of lent identities."""
    leg = leg_of(frame, facts)
    return "feed" if leg == "mms" else leg


class _Allowed(NamedTuple):
    """Legs that are always allowed, and systems inside which every leg is."""

    legs: frozenset[str]
    inside: frozenset[str]


def _rules(story: Story, evidence: Evidence) -> Iterator[tuple[str, _Allowed, str]]:
    primary = story.ue.system
    home = _Allowed(frozenset({"csc-4"}), frozenset({primary}))
    system = evidence.facts.system(primary)
    if system.allocation != "default":
        for identity in (story.ue.private_user_identity, *story.ue.public_user_identities):
            yield identity, home, "default ISIM identity"
    # A UE that was lent identities and has not used them yet: step 4 says whose they are.
    partner = story.partner.system if story.partner else str(partner_of(story) or "")
    crossing = frozenset({"csc-x", "csc-17", "csc-y", "feed"})
    if system.allocation != "default":
        for identity in primary_identities_of_step_9(story):
            yield identity, _Allowed(crossing, frozenset({primary})), "primary migration identity"
    inside = frozenset({partner} if partner else set())
    for identity in partner_identities(story):
        yield identity, _Allowed(frozenset({"csc-x", "csc-17", "csc-4", "gm"}), inside), "partner identity"


def _is_allowed(message: Seen, allowed: _Allowed) -> bool:
    return message.leg in allowed.legs or (bool(message.systems) and message.systems <= allowed.inside)
