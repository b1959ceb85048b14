"""Named checks over tokens: what an identity management server refuses, and that an assertion serves once."""

from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.index import Exchange
from lab.evidence.queries import story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import JWT_BEARER, bearer_of, claims_of, form_of, kid_of


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


def two_signing_keys(evidence: Evidence, *, system: str) -> Finding:
    """Once the system's IdMS signed with another key its CMS took tokens of both, and a partner an assertion of it.

    CSC-4 answered 200 to a token of the old key after the first of the new key, and to one of the new key.
    """
    facts = evidence.facts
    issued = [
        (exchange.request.frame.number, kid)
        for exchange in evidence.index.at("/token")
        if facts.system_of(exchange.request.frame.destination) == system
        and (kid := kid_of(str(exchange.answer().get("access_token", ""))))
    ]
    old = issued[0][1] if issued else ""
    rotated = next((number for number, kid in issued if kid != old), 0)
    taken = [
        (exchange, kid_of(bearer_of(exchange.request)))
        for exchange in evidence.exchanges
        if evidence.index.leg(exchange.request) == "csc-4"
        and facts.system_of(exchange.request.frame.destination) == system
        and exchange.status == 200
        and exchange.request.frame.number > rotated
    ]
    asserted = [
        exchange
        for exchange in evidence.index.at("/token")
        if form_of(exchange.request).get("grant_type") == JWT_BEARER
        and kid_of(form_of(exchange.request).get("assertion", "")) not in ("", old)
        and exchange.status == 200
    ]

    def faults() -> Iterator[str]:
        yield from lacks(rotated, f"the IdMS of {system} signed with one key only")
        yield from lacks(any(kid == old for _, kid in taken), "no token of the old key was taken after the rotation")
        yield from lacks(any(kid not in ("", old) for _, kid in taken), "no token of the new key was taken")
        yield from lacks(asserted, "no partner took an assertion of the new key")

    frames = [number for exchange, _ in taken for number in exchange.frames]
    return judged(frames, frame_filter(frames), faults())


def _of_ue(evidence: Evidence, ue: str, system: str) -> list[Exchange]:
    addresses = story_of(evidence, ue).ue.addresses
    return [
        exchange
        for exchange in evidence.index.at("/token")
        if exchange.request.frame.source in addresses
        and evidence.facts.system_of(exchange.request.frame.destination) == system
    ]
