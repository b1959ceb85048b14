"""What a rule finds: frames that show a cause, in words, with a display filter, and whose registration it spoils."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from lab.evidence.checks.finding import frame_filter
from lab.evidence.doctor.attempts import Attempt, Hop
from lab.evidence.doctor.authorisations import Authorisation
from lab.evidence.doctor.view import View

COMMAND_NAMES = {300: "UA", 301: "SA", 303: "MA"}


class Sign(NamedTuple):
    """A sign of a cause.  ``attempt`` is what failed by it, a registration or a service authorisation; None: all."""

    frames: tuple[int, ...]
    detail: str
    attempt: Attempt | Authorisation | None = None

    @property
    def filter(self) -> str:
        return frame_filter(self.frames)


Rule: TypeAlias = Callable[[View], Iterable[Sign]]


def sign(detail: str, frames: Iterable[int], attempt: Attempt | Authorisation | None = None) -> Sign:
    """Return a sign, its frames in order and each once."""
    return Sign(tuple(sorted({number for number in frames if number})), detail, attempt)


def named(hop: Hop, *, answer: bool = False) -> str:
    """Return the short name of a Cx command: MAR, MAA, ..."""
    return COMMAND_NAMES[hop.request.command_code] + ("A" if answer else "R")
