"""Named checks over tokens: what an identity management server refuses, and that an assertion serves once."""

from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.index import Exchange
from lab.evidence.queries import story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import JWT_BEARER, claims_of, form_of


def token_refused(evidence: Evidence, *, ue: str, system: str, error: str, status: int = 400) -> Finding:
    """The UE's last token request at the system's IdMS got this error (RFC 6749 §5.2) and no token."""
    found = _of_ue(evidence, ue, system)
    if not found:
        return judged((), "http", [f"{ue} asked for no token in {system}"])
    last = found[-1]

    def faults() -> Iterator[str]:
        yield from differs("status", last.status, status)
        yield from differs("error", last.answer().get("error"), error)
        yield from lacks("access_token" not in last.answer(), "a token came all the same")

    detail = str(last.answer().get("error_description", ""))
    return judged(last.frames, frame_filter(last.frames), faults(), detail)


def assertion_serves_once(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """A security token was given to the partner's IdMS twice: a token the first time, ``invalid_grant`` the second."""
    uses: dict[str, list[Exchange]] = {}
    for exchange in _of_ue(evidence, ue, system):
        form = form_of(exchange.request)
        jti = claims_of(form.get("assertion", "")).get("jti")
        if form.get("grant_type") == JWT_BEARER and jti:
            uses.setdefault(str(jti), []).append(exchange)
    replayed = [found for found in uses.values() if len(found) > 1]

    def faults() -> Iterator[str]:
        yield from lacks(replayed, "no security token was used twice")
        for found in replayed:
            yield from differs("first use", found[0].status, 200)
            for exchange in found[1:]:
                where = f"use again in frame {exchange.request.frame.number}"
                outcome = (exchange.status, exchange.answer().get("error"))
                yield from differs(where, outcome, (400, "invalid_grant"))

    frames = [number for found in replayed for exchange in found for number in exchange.frames]
    return judged(frames, frame_filter(frames), faults())


def _of_ue(evidence: Evidence, ue: str, system: str) -> list[Exchange]:
    addresses = story_of(evidence, ue).ue.addresses
    return [
        exchange
        for exchange in evidence.index.at("/token")
        if exchange.request.frame.source in addresses
        and evidence.facts.system_of(exchange.request.frame.destination) == system
    ]
