"""What is always checked, frame by frame: identities, keys, TLS between systems, and that all of it was readable.

The rules are those of ``checks.secrecy``.  What is kept is one entry for a connection, a pair of hosts or a vector, and
none for a frame.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lab.evidence.checks.finding import Finding, frame_filter, judged
from lab.evidence.checks.secrecy import (
    CONFIDENTIALITY_KEY,
    DIAMETER_TLS,
    HANDSHAKE,
    INTEGRITY_KEY,
    Allowed,
    allowed_isim,
    allowed_partner,
    allowed_primary,
    readable,
)
from lab.evidence.crowd.lines import Arrival
from lab.evidence.crowd.people import KINDS, Kind, People
from lab.evidence.facts import RunFacts
from lab.evidence.legs import HTTPS, wire_of
from lab.evidence.messages import DiameterMessage, Frame, walk
from lab.evidence.report import Verdict
from lab.evidence.sightings import Seen, text_of

SHOWN: Final = 5
CARRIED_OCTETS: Final = 64
_APPLICATION_DATA: Final = 0x17
_KEY: Final = re.compile(rb"[0-9a-f]{32,}", re.IGNORECASE)
_KEY_PARAMETER: Final = re.compile(rb"[\s,](ck|ik)\s*=", re.IGNORECASE)
_NAMES: Final[dict[Kind, str]] = {
    "isim": "default ISIM identity",
    "primary": "primary migration identity",
    "partner": "partner identity",
}


class _Pair(NamedTuple):
    """A pair of hosts, one way: its wire, the kinds of identities that may not be on it, and what the ends are."""

    leg: str
    barred: frozenset[Kind]
    is_to_ue: bool
    is_between_systems: bool


class Watch:
    """Sees each frame once."""

    def __init__(self, facts: RunFacts, people: People) -> None:
        self._facts = facts
        self._people = people
        home, partner = people.crowd.home, people.crowd.partner
        self._allowed: dict[Kind, Allowed] = {
            "isim": allowed_isim(home),
            "primary": allowed_primary(home),
            "partner": allowed_partner(partner),
        }
        self._pairs: dict[tuple[str, str, bool], _Pair] = {}
        self._tails: dict[tuple[str, int, str, int], bytes] = {}
        self._identities: dict[str, int] = {}
        self._keys: set[bytes] = set()
        self._key_faults: dict[int, str] = {}
        self._plain: dict[int, str] = {}
        self._begun: set[tuple[str, int, str, int]] = set()
        self._between: set[int] = set()
        self._talked: dict[int, set[tuple[str, int]]] = {}
        self._first: dict[int, int] = {}
        self._read: set[int] = set()
        self.frames = self.messages = self.to_ue = 0

    def see(self, arrival: Arrival) -> None:
        """Look at one frame and at the messages in it."""
        frame = arrival.frame
        pair = self._pair(frame)
        self.frames += 1
        self.messages += (arrival.sip is not None) + len(arrival.diameter) + (arrival.http is not None)
        if frame.stream >= 0:
            self._see_connection(arrival, pair)
        texts = [self._whole(frame, arrival.octets)]
        texts += [_octets_of(message) for message in arrival.diameter if message.is_tls]
        if arrival.http is not None:
            texts.append(text_of(arrival.http).encode("utf-8", "replace"))
        if pair.barred:
            self._see_identities(frame, pair, texts)
        for message in arrival.diameter:
            self._learn_keys(message)
        if pair.is_to_ue and (arrival.sip is not None or arrival.http is not None):
            self.to_ue += 1
            self._see_keys(frame, texts)

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Yield what each check that is always made came to, by its name."""
        frames = sorted(set(self._identities.values()))
        detail = f"{self.messages} messages and the octets of {self.frames} frames searched"
        stay = judged(frames[:20], frame_filter(frames[:20]), list(self._identities)[:SHOWN], detail)
        yield (
            "identities-stay-where-they-may-be-seen",
            stay if self.frames else Finding(Verdict.UNKNOWN, detail="the capture holds no payload"),
        )
        yield "keys-never-reach-a-ue", _found(self._key_faults, f"{self.to_ue} messages to UEs searched")
        yield "systems-talk-over-tls", _found(self._plain, f"{len(self._between)} connections between systems")
        yield "tls-was-readable", readable(self._talked, self._first, self._read)

    def _pair(self, frame: Frame) -> _Pair:
        is_https = HTTPS in (frame.source_port, frame.destination_port)
        key = (frame.source, frame.destination, is_https)
        pair = self._pairs.get(key)
        if pair is None:
            facts = self._facts
            ends = {facts.system_of(frame.source), facts.system_of(frame.destination)}
            seen = Seen(frame, wire_of(frame, facts), frozenset(ends - {""}), "")
            pair = self._pairs[key] = _Pair(
                seen.leg,
                frozenset(kind for kind in KINDS if not self._allowed[kind].holds(seen)),
                facts.role(frame.destination) == "ue",
                len(ends) == 2 and "" not in ends,
            )
        return pair

    def _whole(self, frame: Frame, octets: bytes) -> bytes:
        """Return octets with the end of what came before them in the same direction of a connection."""
        if frame.stream < 0:
            return octets
        direction = (frame.source, frame.source_port, frame.destination, frame.destination_port)
        whole = self._tails.get(direction, b"") + octets
        self._tails[direction] = whole[-CARRIED_OCTETS:]
        return whole

    def _see_identities(self, frame: Frame, pair: _Pair, texts: list[bytes]) -> None:
        for text in texts:
            for identity, known in self._people.kinds_in(text):
                if known.kind in pair.barred and len(self._identities) < 1000:
                    where = f"{_NAMES[known.kind]} {identity} in frame {frame.number} on {pair.leg}"
                    self._identities.setdefault(where, frame.number)

    def _see_connection(self, arrival: Arrival, pair: _Pair) -> None:
        frame, octets = arrival.frame, arrival.octets
        direction = (frame.source, frame.source_port, frame.destination, frame.destination_port)
        if pair.is_between_systems and direction not in self._begun:
            self._begun.add(direction)
            self._between.add(frame.stream)
            if not octets.startswith(HANDSHAKE):
                self._plain[frame.number] = f"frame {frame.number} is no TLS between systems"
        for message in arrival.diameter:
            if pair.is_between_systems and not message.is_tls:
                self._plain[frame.number] = f"frame {frame.number} is plain Diameter between systems"
        if {HTTPS, DIAMETER_TLS} & {frame.source_port, frame.destination_port}:
            if octets[0] == _APPLICATION_DATA:
                self._talked.setdefault(frame.stream, set()).add((frame.source, frame.source_port))
            self._first.setdefault(frame.stream, frame.number)
        if arrival.diameter or arrival.http is not None or arrival.shows_certificate:
            self._read.add(frame.stream)

    def _learn_keys(self, message: DiameterMessage) -> None:
        if not message.is_request and message.command_code == 303:
            for avp in walk(message.avps):
                if avp.code in (CONFIDENTIALITY_KEY, INTEGRITY_KEY):
                    self._keys.add(avp.octets[24:56].lower().encode())

    def _see_keys(self, frame: Frame, texts: list[bytes]) -> None:
        for text in texts:
            for run in _KEY.findall(text):
                if any(run[at : at + 32].lower() in self._keys for at in range(len(run) - 31)):
                    self._key_faults[frame.number] = f"a key of a vector in frame {frame.number}"
            if found := _KEY_PARAMETER.search(text):
                self._key_faults[frame.number] = f"{found[1].decode()} in frame {frame.number}"


def _found(faults: dict[int, str], detail: str) -> Finding:
    frames = list(faults)[:20]
    return judged(frames, frame_filter(frames), list(faults.values())[:SHOWN], detail)


def _octets_of(message: DiameterMessage) -> bytes:
    return bytes.fromhex("".join(avp.octets for avp in message.avps))
