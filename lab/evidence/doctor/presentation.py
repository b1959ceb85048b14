"""A diagnosis for people: what failed, in a few lines of its ladder, then each cause with its signs and its mend."""

from collections.abc import Iterator

from lab.evidence.doctor.examine import AttemptReport, AuthorisationReport, Diagnosis, Illness, Rung

LADDER_LINES_MAX = 18
ATTEMPTS_MAX = 3


def lines_of(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the lines of a diagnosis."""
    for attempt in diagnosis.failed[:ATTEMPTS_MAX]:
        yield from _attempt(attempt)
    if len(diagnosis.failed) > ATTEMPTS_MAX:
        yield f"... and {len(diagnosis.failed) - ATTEMPTS_MAX} more that failed"
    for one in diagnosis.refused[:ATTEMPTS_MAX]:
        yield from _refusal(one)
    if len(diagnosis.refused) > ATTEMPTS_MAX:
        yield f"... and {len(diagnosis.refused) - ATTEMPTS_MAX} more that were refused"
    for number, illness in enumerate(diagnosis.illnesses, 1):
        yield from _illness(number, illness)
    for note in diagnosis.notes:
        yield f"not seen: {note}"
    yield _verdict(diagnosis)


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.verdict == "no registration":
        return "no registration in this capture: is SIP on other ports (--decode-as udp.port==PORT,sip), or encrypted?"
    failed, count = len(diagnosis.failed), diagnosis.registrations
    refused, asked = len(diagnosis.refused), diagnosis.authorisations
    if diagnosis.verdict == "healthy":
        return f"healthy: {count} registrations, none failed" + (f"; {asked} service authorisations" if asked else "")
    services = f", {refused} of {asked} service authorisations refused" if asked else ""
    return f"ill: {failed} of {count} registrations failed{services}; first cause: {diagnosis.illnesses[0].cause}"


def _attempt(attempt: AttemptReport) -> Iterator[str]:
    ended = f"{attempt.outcome}, {attempt.status} {attempt.reason}".rstrip() if attempt.status else attempt.outcome
    identity = attempt.private_user_identity or attempt.public_user_identity
    yield f"{attempt.ue} {identity}: {ended} (frames {_span(attempt.frames)})"
    yield from _rungs(attempt.ladder)


def _refusal(one: AuthorisationReport) -> Iterator[str]:
    said = f"refused, {one.status} {one.reason}".rstrip() if one.status else "not answered"
    whose = f", token of {one.issuer} for {one.mc_service_id or 'nobody'}" if one.issuer else ""
    who = f"{one.ue} {one.public_user_identity}".lstrip()
    yield f"{who}: service authorisation {said}{whose} (frames {_span(one.frames)})"
    yield from _rungs(one.ladder)


def _span(frames: tuple[int, int]) -> str:
    return f"{frames[0]}-{frames[1]}"


def _rungs(ladder: tuple[Rung, ...]) -> Iterator[str]:
    for rung in _cut(ladder):
        if rung is None:
            yield "  ..."
        else:
            yield f"  {rung.frame:>6} {rung.at_s:8.3f} s  {rung.source} -> {rung.destination}  {rung.text}"
    yield ""


def _cut(ladder: tuple[Rung, ...]) -> Iterator[Rung | None]:
    """Yield the rungs, of a long ladder its first and its last ones with None between."""
    if len(ladder) <= LADDER_LINES_MAX:
        yield from ladder
        return
    yield from ladder[: LADDER_LINES_MAX // 3]
    yield None
    yield from ladder[-(LADDER_LINES_MAX - LADDER_LINES_MAX // 3) :]


def _illness(number: int, illness: Illness) -> Iterator[str]:
    yield f"{number}. {illness.cause}: {illness.meaning}"
    for sign in illness.signs:
        yield f"   seen    {sign}"
    yield f"   filter  {illness.filter}"
    for mend in illness.mends:
        yield f"   mend    {mend.program}: {mend.text}"
    yield ""
