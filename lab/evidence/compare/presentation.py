"""A comparison for people: what is judged differently, a table of times with their ratio, fields of one run only."""

from collections.abc import Iterator

from lab.evidence.compare.comparison import Comparison, TimeComparison

FIELDS_MAX = 40


def lines_of(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of a comparison; the last one says whether the verdicts are the same."""
    yield f"1: {comparison.first}"
    yield f"2: {comparison.second}"
    for name, (one, other) in comparison.environment.items():
        yield f"{name}: {one} / {other}"
    yield ""
    for verdict in comparison.verdicts:
        detail = f"  {verdict.detail}" if verdict.detail else ""
        yield f"{verdict.what}: {verdict.first} / {verdict.second}{detail}"
    if comparison.verdicts:
        yield ""
    yield from _table(comparison.times)
    yield from _fields(comparison)
    count = len(comparison.verdicts)
    yield "same verdicts" if comparison.same else f"different: {count} verdicts"


def _table(times: tuple[TimeComparison, ...]) -> Iterator[str]:
    width = max((len(time.hop) for time in times), default=3)
    yield f"{'hop':<{width}}  {'1: n':>6} {'ms':>9}  {'2: n':>6} {'ms':>9}  {'ratio':>6}"
    for time in times:
        one, other = (f"{ms:9.3f}" if ms is not None else f"{'-':>9}" for ms in (time.first_ms, time.second_ms))
        ratio = f"{time.ratio:6.2f}" if time.ratio is not None else f"{'-':>6}"
        lost = time.first_unanswered, time.second_unanswered
        unanswered = f"  unanswered {lost[0]} / {lost[1]}" if any(lost) else ""
        yield f"{time.hop:<{width}}  {time.first_count:>6} {one}  {time.second_count:>6} {other}  {ratio}{unanswered}"
    yield ""


def _fields(comparison: Comparison) -> Iterator[str]:
    for field in comparison.fields[:FIELDS_MAX]:
        value = f" = {field.value}" if field.value else ""
        yield f"only in {field.only_in}: {field.step} {field.name}{value}"
    if len(comparison.fields) > FIELDS_MAX:
        yield f"... and {len(comparison.fields) - FIELDS_MAX} more fields (--json)"
    if comparison.fields:
        yield ""
