"""Where identities were seen: in every decrypted message, headers and nested AVPs too, and in the octets on the wire.

A text is searched once for all identities: by its alphanumeric runs, so that the work grows with the text and not with
the number of identities.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from lab.evidence.facts import RunFacts
from lab.evidence.legs import wire_of
from lab.evidence.messages import Capture, Frame, HttpMessage
from lab.evidence.texts import claims_of

_RUN: Final = re.compile("[a-z0-9]+")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
CARRIED_OCTETS: Final = 256


class Seen(NamedTuple):
    """One decrypted message, or the octets of one frame as they were on the wire, as text; and where it was."""

    frame: Frame
    leg: str
    systems: frozenset[str]
    text: str
    is_raw: bool = False


class Needles:
    """Texts to be found in other texts, whatever their letters' case."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._by_run: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for needle in needles:
            text = needle.lower()
            runs = _RUN.findall(text)
            if runs:
                self._by_run[max(runs, key=len)].append((text, needle))
        self._lengths = sorted({len(run) for run in self._by_run})

    def found_in(self, text: str) -> set[str]:
        """Return the needles that are somewhere in the text."""
        lower = text.lower()
        found: set[str] = set()
        for run in set(_RUN.findall(lower)):
            for candidate in self._candidates(run):
                found |= {needle for low, needle in self._by_run.get(candidate, ()) if low in lower}
        return found

    def _candidates(self, run: str) -> Iterator[str]:
        """Yield the pieces of a run that are as long as a needle's; octets before a text may look like letters."""
        for length in self._lengths:
            for start in range(len(run) - length + 1):
                yield run[start : start + length]


class Sightings:
    """Where each of some identities was seen."""

    def __init__(self, capture: Capture, facts: RunFacts, identities: Iterable[str]) -> None:
        needles = Needles(identities)
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self.messages = self.raw = 0
        for seen in everything(capture, facts):
            self.messages += not seen.is_raw
            self.raw += seen.is_raw
            for identity in needles.found_in(seen.text):
                self._seen[identity].append(seen)

    def of(self, identity: str) -> list[Seen]:
        """Return what held an identity: messages, then frames."""
        return self._seen.get(identity, [])

    def first_frame(self, identity: str) -> int | None:
        """Return the number of the first frame that held an identity."""
        return min((seen.frame.number for seen in self.of(identity)), default=None)


def everything(capture: Capture, facts: RunFacts) -> Iterator[Seen]:
    """Yield every decrypted message, then every payload as it was on the wire."""
    texts: list[tuple[Frame, str]] = [(m.frame, m.text) for m in capture.sip]
    texts += [(m.frame, m.text) for m in capture.diameter]
    texts += [(m.frame, text_of(m)) for m in capture.http]
    for frame, text in texts:
        yield Seen(frame, wire_of(frame, facts), _systems(frame, facts), text)
    tails: dict[tuple[str, int, str, int], bytes] = {}
    for frame, octets, _ in capture.payloads:
        direction = (frame.source, frame.source_port, frame.destination, frame.destination_port)
        whole = tails.get(direction, b"") + octets if frame.stream >= 0 else octets
        tails[direction] = whole[-CARRIED_OCTETS:]
        yield Seen(frame, wire_of(frame, facts), _systems(frame, facts), whole.decode("latin-1"), is_raw=True)


def text_of(message: HttpMessage) -> str:
    """Return all that an HTTP message says: path, headers, body; also percent-decoded, and what its tokens claim."""
    headers = "\n".join(f"{name}: {value}" for name, value in message.headers.items())
    text = "\n".join((message.path, headers, message.body))
    claims = "\n".join(str(claims_of(token)) for token in _JWT.findall(text))
    return "\n".join((text, unquote(text) if "%" in text else "", claims))


def _systems(frame: Frame, facts: RunFacts) -> frozenset[str]:
    return frozenset({facts.system_of(frame.source), facts.system_of(frame.destination)} - {""})
