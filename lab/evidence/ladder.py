"""The ladder of a run: each procedure as the figures 10.1.X.1-1, 10.6.1-1 and 10.6.2-1 of TS 23.280 (CR) draw it.

Pure: from the evidence to rows between lanes.  A row names the frame that is drawn; how it is drawn is the template's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from lab.evidence.checks.finding import Finding
from lab.evidence.decoded import Message, decoded_fields
from lab.evidence.report import Ladder, LadderRow, Verdict
from lab.evidence.steps import STEPS, Step
from lab.evidence.story import Evidence, Story

STORIES_MAX: Final = 8
"""Ladders of one procedure at the most: a load run has thousands of stories, and nobody reads them as pictures."""

Findings: TypeAlias = Sequence[tuple[Story, Finding]]
"""What the check of one step found in each story, in the order of the evidence's stories."""

Lane = Literal[
    "ue", "primary-idms", "primary-core", "primary-cms", "primary-mms", "primary-hss",
    "partner-core", "partner-cms", "partner-mms",
]  # fmt: skip

# fmt: off
_NAMES: Final[Mapping[Lane, str]] = {
    "ue":            "MC service UE",
    "primary-idms":  "identity management server",
    "primary-core":  "SIP core / IMS",
    "primary-cms":   "configuration management server (primary)",
    "primary-mms":   "migration management server (primary)",
    "primary-hss":   "SIP database (primary)",
    "partner-core":  "SIP core / IMS (partner)",
    "partner-cms":   "configuration management server (partner)",
    "partner-mms":   "migration management server (partner)",
}

_ROLES: Final[Mapping[Lane, frozenset[str]]] = {
    "ue":            frozenset({"ue"}),
    "primary-idms":  frozenset({"idms"}),
    "primary-core":  frozenset({"pcscf", "icscf", "scscf", "edge", "dra"}),
    "primary-cms":   frozenset({"cms"}),
    "primary-mms":   frozenset({"mms", "proxy"}),
    "primary-hss":   frozenset({"hss"}),
    "partner-core":  frozenset({"pcscf", "icscf", "scscf", "edge", "dra"}),
    "partner-cms":   frozenset({"cms"}),
    "partner-mms":   frozenset({"mms", "proxy"}),
}
"""Hosts that stand on a lane; the Diameter proxy is collocated with the migration management server (7.4.3.1.X)."""
# fmt: on


class Figure(NamedTuple):
    """One figure: its procedure, its lanes from left to right, and the ends of each step's arrow.

    A step between a lane and itself is work inside it; one that is not in ``ends`` spans all lanes.
    """

    procedure: str
    title: str
    lanes: tuple[Lane, ...]
    ends: Mapping[int, tuple[Lane, Lane]]


# fmt: off
FIGURES: Final = (
    Figure("10.6.1", "user authentication and registration with the primary MC system",
           ("ue", "primary-core", "primary-idms"),
           {1: ("ue", "primary-idms"), 2: ("ue", "primary-core"), 3: ("primary-core", "ue")}),
    Figure("10.1.X.1", "the UE obtains migration connectivity information of the partner MC system",
           ("ue", "primary-cms", "primary-mms", "partner-cms", "partner-mms"),
           {1: ("ue", "primary-cms"),          2: ("primary-cms", "primary-cms"), 3: ("primary-cms", "primary-cms"),
            4: ("primary-cms", "primary-mms"), 5: ("primary-mms", "primary-mms"), 6: ("primary-mms", "primary-cms"),
            7: ("primary-cms", "partner-cms"), 8: ("partner-cms", "partner-cms"), 9: ("partner-cms", "partner-mms"),
            10: ("partner-mms", "partner-mms"), 11: ("partner-mms", "partner-cms"),
            12: ("partner-cms", "primary-cms"), 13: ("primary-cms", "ue")}),
    Figure("10.6.2", "user authentication and registration with the partner MC system",
           ("ue", "partner-core", "partner-mms", "primary-mms", "primary-hss"),
           {2: ("ue", "partner-core"),          3: ("partner-core", "partner-mms"), 4: ("partner-mms", "partner-mms"),
            5: ("partner-mms", "primary-mms"),  6: ("primary-mms", "primary-hss"),  7: ("primary-hss", "primary-mms"),
            8: ("primary-mms", "partner-mms"),  9: ("partner-mms", "partner-mms"), 10: ("partner-mms", "partner-core"),
            11: ("partner-core", "ue"),        12: ("ue", "partner-core"),         13: ("partner-core", "ue")}),
)
# fmt: on


def draw(evidence: Evidence, findings: Mapping[str, Findings]) -> tuple[Ladder, ...]:
    """Return the ladders of a run: each procedure as each UE went through it, the steps that took place.

    ``findings`` has the findings of each step by its id.
    """
    artist = _Artist(evidence, findings)
    return tuple(ladder for figure in FIGURES for ladder in artist.ladders(figure))


class _Placed(NamedTuple):
    step: Step
    verdict: Verdict
    ends: tuple[Lane, Lane] | None
    frame: int | None


class _Artist:
    def __init__(self, evidence: Evidence, findings: Mapping[str, Findings]) -> None:
        self._evidence = evidence
        self._findings = findings
        self._messages = _by_frame(evidence)

    def ladders(self, figure: Figure) -> Iterator[Ladder]:
        steps = [s for s in STEPS if s.id in self._findings and s.id.rpartition("-")[0] == figure.procedure]
        drawn: set[tuple[int, ...]] = set()
        for index, story in enumerate(self._evidence.stories):
            placed = [self._place(figure, step, self._findings[step.id][index][1]) for step in steps]
            there = [one for one in placed if one.verdict is not Verdict.NOT_EXPECTED]
            frames = tuple(one.frame for one in there if one.frame is not None)
            # A UE that registers twice with one set has two stories that share their first procedures.
            if not frames or frames in drawn:
                continue
            drawn.add(frames)
            yield Ladder(
                procedure=figure.procedure,
                title=figure.title,
                ue=story.ue.name,
                lanes=tuple(_NAMES[lane] for lane in figure.lanes),
                rows=tuple(self._row(figure, one, frames[0]) for one in there),
            )
            if len(drawn) == STORIES_MAX:
                return

    def _place(self, figure: Figure, step: Step, finding: Finding) -> _Placed:
        ends = figure.ends.get(int(step.id.rpartition("-")[2]))
        return _Placed(step, finding.verdict, ends, self._frame_between(ends, finding.frames))

    def _frame_between(self, ends: tuple[Lane, Lane] | None, frames: Iterable[int]) -> int | None:
        """Return the frame that went from one lane to the other; for work inside one, none is drawn."""
        if ends is None:
            return next((number for number in frames if number in self._messages), None)
        if ends[0] == ends[1]:
            return None
        facts = self._evidence.facts
        wanted = [_ROLES[lane] for lane in ends]
        for number in frames:
            message = self._messages.get(number)
            if message is None:
                continue
            if facts.role(message.frame.source) in wanted[0] and facts.role(message.frame.destination) in wanted[1]:
                return number
        return None

    def _row(self, figure: Figure, placed: _Placed, first: int) -> LadderRow:
        message = None if placed.frame is None else self._messages[placed.frame]
        source, destination = _span(figure, placed.ends)
        return LadderRow(
            step=placed.step.id,
            title=placed.step.title,
            wire=placed.step.wire,
            kind=_kind(placed.ends),
            source=source,
            destination=destination,
            verdict=placed.verdict,
            frame=placed.frame,
            at_ms=_elapsed_ms(self._messages[first], message) if message else None,
            fields=decoded_fields(message) if message else (),
        )


def _kind(ends: tuple[Lane, Lane] | None) -> Literal["message", "inner", "span"]:
    if ends is None:
        return "span"
    return "inner" if ends[0] == ends[1] else "message"


def _span(figure: Figure, ends: tuple[Lane, Lane] | None) -> tuple[int, int]:
    if ends is None:
        return 0, len(figure.lanes) - 1
    return figure.lanes.index(ends[0]), figure.lanes.index(ends[1])


def _elapsed_ms(first: Message, then: Message) -> float:
    return round((then.frame.time_s - first.frame.time_s) * 1000, 3)


def _by_frame(evidence: Evidence) -> dict[int, Message]:
    capture = evidence.capture
    messages: dict[int, Message] = {}
    for group in (capture.http, capture.diameter, capture.sip):
        for message in group:
            messages.setdefault(message.frame.number, message)
    return messages
