"""Always checked: where identities and keys may be seen, that systems talk over TLS, and that all of it was readable.

Partner set: the partner's SIP and Cx, CSC-X, feed, CSC-17, CSC-4.  Primary migration set: CSC-X, feed, CSC-17, CSC-Y,
the primary's Cx.  The default ISIM set never leaves the primary system.  Looked for in every decrypted message and in
the octets on the wire.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Final, NamedTuple

from lab.evidence.checks.authentication import member
from lab.evidence.checks.finding import Finding, frame_filter, judged
from lab.evidence.legs import HTTPS
from lab.evidence.report import Verdict
from lab.evidence.sightings import Needles, Seen, text_of
from lab.evidence.story import Evidence, Story
from lab.evidence.texts import digest_parameters

CONFIDENTIALITY_KEY: Final = 625
INTEGRITY_KEY: Final = 626
DIAMETER_TLS: Final = 5868
HANDSHAKE: Final = b"\x16\x03"
_APPLICATION_DATA: Final = 0x17
_SHOWN: Final = 5


class Allowed(NamedTuple):
    """Wires on which an identity may always be, and systems inside which it may be (on ``inside_wires``, or on all)."""

    wires: frozenset[str]
    inside: frozenset[str]
    inside_wires: frozenset[str] = frozenset()

    def holds(self, seen: Seen) -> bool:
        """Tell whether the identity may be seen there."""
        if seen.leg in self.wires:
            return True
        is_inside = bool(seen.systems) and seen.systems <= self.inside
        return is_inside and (not self.inside_wires or seen.leg in self.inside_wires)


def identities_stay(evidence: Evidence) -> Finding:
    """Every identity is seen only where it may be."""
    faults: dict[str, int] = {}
    sightings = evidence.sightings
    for (identity, name), allowed in _rules(evidence).items():
        for seen in sightings.of(identity):
            if not allowed.holds(seen):
                faults.setdefault(f"{name} {identity} in frame {seen.frame.number} on {seen.leg}", seen.frame.number)
    detail = f"{sightings.messages} messages and the octets of {sightings.raw} frames searched"
    if not sightings.raw:
        return Finding(Verdict.UNKNOWN, detail="the capture holds no payload")
    frames = sorted(set(faults.values()))
    return judged(frames, frame_filter(frames[:20]), list(faults)[:_SHOWN], detail)


def keys_stay(evidence: Evidence) -> Finding:
    """CK and IK never reach a UE (TS 24.229 §5.2.2): neither as parameters nor as octets of any vector of the run."""
    to_ue = [(m.frame, m.text) for m in evidence.capture.sip]
    to_ue += [(m.frame, text_of(m)) for m in evidence.capture.http]
    to_ue = [(frame, text) for frame, text in to_ue if evidence.facts.role(frame.destination) == "ue"]
    needles = Needles(_keys(evidence))
    faults = {}
    for frame, text in to_ue:
        if needles.found_in(text):
            faults[frame.number] = f"a key of a vector in frame {frame.number}"
    for message in evidence.capture.sip:
        if evidence.facts.role(message.frame.destination) == "ue":
            for header in message.headers.get("www-authenticate", ()):
                if found := {"ck", "ik"} & set(digest_parameters(header)):
                    faults[message.frame.number] = f"{sorted(found)} in frame {message.frame.number}"
    detail = f"{len(to_ue)} messages to UEs searched"
    return judged(faults, frame_filter(faults), list(faults.values())[:_SHOWN], detail)


def between_systems_is_tls(evidence: Evidence) -> Finding:
    """Whatever two MC systems say to each other is inside TLS: CSC-Y and CSC-17."""
    faults: dict[int, str] = {}
    begun: set[tuple[str, int, str, int]] = set()
    streams = set()
    for frame, octets, _ in evidence.capture.payloads:
        ends = {evidence.facts.system_of(frame.source), evidence.facts.system_of(frame.destination)}
        direction = (frame.source, frame.source_port, frame.destination, frame.destination_port)
        if len(ends) < 2 or "" in ends or direction in begun:
            continue
        begun.add(direction)
        streams.add(frame.stream)
        if not octets.startswith(HANDSHAKE):
            faults[frame.number] = f"frame {frame.number} is no TLS between {' and '.join(sorted(ends))}"
    for message in evidence.capture.diameter:
        ends = {evidence.facts.system_of(message.frame.source), evidence.facts.system_of(message.frame.destination)}
        if len(ends) == 2 and "" not in ends and not message.is_tls:
            number = message.frame.number
            faults[number] = f"frame {number} is plain Diameter between {' and '.join(sorted(ends))}"
    shown = list(faults.values())[:_SHOWN]
    return judged(faults, "diameter && tls", shown, f"{len(streams)} connections between systems")


def tls_was_readable(evidence: Evidence) -> Finding:
    """Every TLS connection that carried data was decrypted, so that what was not seen was not there.

    ``unknown`` when one was not.  A handshake alone shows its certificates when it was decrypted.
    """
    talked: dict[int, set[tuple[str, int]]] = {}
    first: dict[int, int] = {}
    for frame, octets, _ in evidence.capture.payloads:
        if frame.stream >= 0 and {HTTPS, DIAMETER_TLS} & {frame.source_port, frame.destination_port}:
            if octets[0] == _APPLICATION_DATA:
                talked.setdefault(frame.stream, set()).add((frame.source, frame.source_port))
            first.setdefault(frame.stream, frame.number)
    read = {m.frame.stream for m in evidence.capture.http}
    read |= {m.frame.stream for m in evidence.capture.diameter}
    read |= {c.frame.stream for c in evidence.capture.certificates}
    return readable(talked, first, read)


def readable(talked: Mapping[int, set[tuple[str, int]]], first: Mapping[int, int], read: Set[int]) -> Finding:
    """Return whether each stream in which both ends ``talked`` was ``read``; ``first`` has the first frame of each."""
    dark = [stream for stream, senders in talked.items() if len(senders) == 2 and stream not in read]
    frames = [first[stream] for stream in dark]
    if dark:
        text = f"{len(dark)} of {len(talked)} TLS connections could not be decrypted: keys are missing"
        return Finding(Verdict.UNKNOWN, tuple(frames), frame_filter(frames[:20]), text)
    return Finding(Verdict.PASS, detail=f"{len(talked)} TLS connections decrypted")


def _keys(evidence: Evidence) -> Iterator[str]:
    """Yield CK and IK of every MAA in hexadecimal."""
    for message in evidence.capture.diameter:
        if not message.is_request and message.command_code == 303:
            for code in (CONFIDENTIALITY_KEY, INTEGRITY_KEY):
                if octets := member(message, code):
                    yield octets.hex()


def _rules(evidence: Evidence) -> dict[tuple[str, str], Allowed]:
    """Return where each identity of the run may be seen, by identity and what it is."""
    rules: dict[tuple[str, str], Allowed] = {}
    for story in evidence.stories:
        for identity, name, allowed in _rules_of(story, evidence):
            known = rules.get((identity, name), allowed)
            rules[identity, name] = known._replace(inside=known.inside | allowed.inside)
    return rules


_CROSSING: Final = frozenset({"csc-x", "csc-17", "csc-y", "feed"})
_PRIMARY_INSIDE: Final = frozenset({"hss", "mms", "aaa-2"})
_PARTNER_WIRES: Final = frozenset({"csc-x", "csc-17", "csc-4", "feed"})


def allowed_isim(primary: str) -> Allowed:
    """Return where identities of the ISIM may be: inside the primary system."""
    return Allowed(frozenset(), frozenset({primary}))


def allowed_primary(primary: str) -> Allowed:
    """Return where a primary migration set may be: where systems meet, and on the primary's Cx."""
    return Allowed(_CROSSING, frozenset({primary}), _PRIMARY_INSIDE)


def allowed_partner(partner: str) -> Allowed:
    """Return where a partner set may be: inside the partner system, and on the way of 10.1.X.1 to the UE."""
    return Allowed(_PARTNER_WIRES, frozenset({partner} - {""}))


def _rules_of(story: Story, evidence: Evidence) -> Iterator[tuple[str, str, Allowed]]:
    primary = story.ue.system
    is_equal_by_choice = evidence.facts.system(primary).allocation == "default"
    entered = evidence.facts.entered(story.ue.name)
    if not is_equal_by_choice:
        for identity in {story.ue.private_user_identity, *story.ue.public_user_identities} - entered:
            yield identity, "default ISIM identity", allowed_isim(primary)
        for identity in story.sets.primary:
            yield identity, "primary migration identity", allowed_primary(primary)
    partner = story.partner.system if story.partner else ""
    if story.partner_set is not None:
        partner = evidence.facts.system_of(story.partner_set.request.frame.destination)
    for identity in story.sets.partner:
        yield identity, "partner identity", allowed_partner(partner)
