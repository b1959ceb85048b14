"""Rules about service authorisation: why an MC service server did not take a registered user (TS 24.379 §7.3.2).

The server says one thing for all reasons (warning 101, §4.4.2); the reason is read from the token's claims, in a
fixed order, so that each refusal has one.
"""

import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from lab.evidence.doctor.authorisations import Authorisation, carries_token
from lab.evidence.doctor.connections import CERTIFICATE_ALERTS, Connection
from lab.evidence.doctor.sign import Sign, sign
from lab.evidence.doctor.view import View

SERVER_FAILURE: Final = 500
FORBIDDEN: Final = 403


def mc_service_silent(view: View) -> Iterator[Sign]:
    """A third-party REGISTER that is sent again and never answered."""
    for one in view.refused:
        if one.is_silent:
            who, times = view.name(one.request.frame.source), len(one.requests)
            text = f"{view.name(one.server)} answers none of {times} third-party REGISTER from {who}"
            yield sign(text, (one.request.frame.number, one.requests[-1].frame.number), one)


def idms_unreachable(view: View) -> Iterator[Sign]:
    """The server cannot have the keys of the identity management server: it says so with 5xx."""
    for one in view.refused:
        if one.status >= SERVER_FAILURE:
            why, numbers = _why_no_keys(view, one)
            yield sign(f"{_answer(view, one)}; {why}", (*one.frames, *numbers), one)


def access_token_missing(view: View) -> Iterator[Sign]:
    """No access token reached the server: the UE sent none, or the S-CSCF did not hand it on."""
    for one in _forbidden(view):
        if not one.has_token:
            yield sign(f"{_answer(view, one)}; {_who_left_it_out(view, one)}", one.frames, one)


def access_token_issuer(view: View) -> Iterator[Sign]:
    """A token of another identity management server: the UE's home has not to say who is served here."""
    return _by_claims(view, 0)


def access_token_audience(view: View) -> Iterator[Sign]:
    """A token for another server."""
    return _by_claims(view, 1)


def access_token_expired(view: View) -> Iterator[Sign]:
    """A token whose time was over when it came."""
    return _by_claims(view, 2)


def mc_service_id_refused(view: View) -> Iterator[Sign]:
    """A token that is right in all else: it names no MC service ID, or one that is not served."""
    return _by_claims(view, 3)


def _by_claims(view: View, wanted: int) -> Iterator[Sign]:
    """Yield a sign for each refusal whose first fault is the one wanted."""
    for one in _forbidden(view):
        if not one.claims:
            continue
        faults = (_issuer(view, one), _audience(view, one), _expiry(one), _identity(one))
        number, text = next((number, text) for number, text in enumerate(faults) if text)
        if number == wanted:
            yield sign(f"{_answer(view, one)}; {text}", one.frames, one)


def _issuer(view: View, one: Authorisation) -> str:
    issuer, own = str(one.claims.get("iss", "")), _idms_of(view, one.server)
    if not own or (urlsplit(issuer).hostname or "") in own:
        return ""
    return f"the token is of {issuer or 'nobody'}, the server asks {' or '.join(sorted(own))}"


def _audience(view: View, one: Authorisation) -> str:
    given = one.claims.get("aud")
    named = {str(name) for name in given} if isinstance(given, list) else {str(given)}
    names = _names_of(view, one)
    return f"the token is for {', '.join(sorted(named))}" if names and not names & named else ""


def _expiry(one: Authorisation) -> str:
    expires, came = one.claims.get("exp"), one.request.frame.time_s
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        return "the token has no time at which it expires"
    if expires > came:
        return ""
    at = time.strftime("%H:%M:%S", time.gmtime(expires))
    return f"the token expired at {at} UTC, {came - expires:.0f} s before it came"


def _identity(one: Authorisation) -> str:
    given = one.claims.get("mcptt_id")
    if not given:
        return "the token names no MC service ID (mcptt_id)"
    return f"issuer, audience and time of the token are right: {given} is not served, or the signature does not hold"


def _idms_of(view: View, server: str) -> set[str]:
    """Return the names of the identity management servers of a server: of a run's facts, else what it asked TLS for."""
    if view.facts is not None:
        facts = view.facts
        system = facts.system_of(server)
        return {n for a, n in facts.hosts.items() if facts.role(a) == "idms" and facts.system_of(a) == system}
    return {one.asked_for for one in view.connections if one.client == server and one.asked_for}


def _names_of(view: View, one: Authorisation) -> set[str]:
    """Return the names of a server: of a run's facts, and the host that the third-party REGISTER was for."""
    host = one.request.uri.partition(":")[2].partition(";")[0].partition(":")[0]
    named = (view.facts.names().get(one.server, "") if view.facts else "", host if any(map(str.isalpha, host)) else "")
    return {name for name in named if name}


def _who_left_it_out(view: View, one: Authorisation) -> str:
    if one.register is None:
        return "it holds no access token, and the UE's REGISTER is not in the capture"
    frame = one.register.frame
    who = view.name(one.request.frame.source)
    if carries_token(one.register):
        return f"the REGISTER of {view.name(frame.source)} in frame {frame.number} carries a token, {who} left it out"
    return f"the REGISTER of {view.name(frame.source)} in frame {frame.number} carries no access token"


def _why_no_keys(view: View, one: Authorisation) -> tuple[str, tuple[int, ...]]:
    """Return what the server's connections show, up to its answer."""
    assert one.reply is not None
    until_s = one.reply.frame.time_s
    opened = [c for c in view.connections if c.client == one.server and c.opened_s <= until_s]
    if not opened:
        return "the capture holds no connection of it (capture that interface too)", ()
    last = opened[-1]
    return f"{view.name(last.server)} port {last.port} {_fate(last)}", last.frames


def _fate(connection: Connection) -> str:
    if connection.refused:
        return "refuses the connection"
    if not connection.accepted:
        return "does not answer its SYN"
    alert = next((CERTIFICATE_ALERTS[one.code] for one in connection.alerts if one.code in CERTIFICATE_ALERTS), "")
    if alert:
        return f"and it do not agree on TLS: {alert}"
    return "took the connection, and no keys came of it"


def _forbidden(view: View) -> Iterator[Authorisation]:
    return (one for one in view.refused if one.status == FORBIDDEN and not one.is_encrypted)


def _answer(view: View, one: Authorisation) -> str:
    assert one.reply is not None
    return f"{view.name(one.server)} answers {one.status} {one.reply.reason}".rstrip()
