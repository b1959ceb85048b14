"""What a check returns, and the two or three things that every check needs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.evidence.index import Exchange
from lab.evidence.report import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check: what it looked at, a display filter for it, and why it failed."""

    verdict: Verdict
    frames: tuple[int, ...] = ()
    filter: str = ""
    detail: str = ""


def absent(what: str) -> Finding:
    """Return the finding of a step that did not take place."""
    return Finding(Verdict.NOT_EXPECTED, detail=what)


def judged(frames: Iterable[int | None], display_filter: str, faults: Iterable[str], detail: str = "") -> Finding:
    """Return pass when ``faults`` is empty, else fail with the faults as the detail."""
    found = tuple(faults)
    numbers = tuple(dict.fromkeys(n for n in frames if n is not None))
    if found:
        return Finding(Verdict.FAIL, numbers, display_filter, "; ".join(found))
    return Finding(Verdict.PASS, numbers, display_filter, detail)


def differs(what: str, found: object, wanted: object) -> Iterator[str]:
    """Yield a sentence when ``found`` is not ``wanted``."""
    if found != wanted:
        yield f"{what}: found {_shown(found)}, wanted {_shown(wanted)}"


def lacks(condition: object, sentence: str) -> Iterator[str]:
    """Yield ``sentence`` when ``condition`` does not hold."""
    if not condition:
        yield sentence


def http_filter(exchange: Exchange) -> str:
    """Return a display filter for one HTTP exchange."""
    return f'tcp.stream == {exchange.request.frame.stream} && http.request.uri == "{exchange.request.path}"'


def frame_filter(frames: Iterable[int | None]) -> str:
    """Return a display filter for these frames."""
    numbers = [str(n) for n in frames if n is not None]
    return f"frame.number in {{{', '.join(numbers)}}}" if numbers else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
