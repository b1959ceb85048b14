"""Rules about the answers of the SIP database and of the agents before it (TS 29.228 §6, RFC 6733 §7.1).

Each is pure: a view in, signs out.  Of several answers with one code the first in time is whose it is; the others only
passed it on.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from lab.evidence.doctor import peers
from lab.evidence.doctor.attempts import MAR, PUBLIC_IDENTITY, SAR, UAR, USER_NAME, Attempt, Hop
from lab.evidence.doctor.connections import Connection
from lab.evidence.doctor.sign import Sign, named, sign
from lab.evidence.doctor.view import View

UNABLE_TO_DELIVER: Final = 3002
REALM_NOT_SERVED: Final = 3003
USER_UNKNOWN: Final = 5001
IDENTITIES_DONT_MATCH: Final = 5002
ROAMING_NOT_ALLOWED: Final = 5004
UNABLE_TO_COMPLY: Final = 5012
AUTHORIZATION_REJECTED: Final = 5003
# Nobody could be asked, or who was asked could not answer: it passes (RFC 6733 §7.1.3 to §7.1.5).
OUTAGES: Final = frozenset({UNABLE_TO_DELIVER, REALM_NOT_SERVED, 3004, UNABLE_TO_COMPLY})
SERVER_NAME: Final = 602
SERVER_CAPABILITIES: Final = 603
DESTINATION_REALM: Final = 283
ERROR_MESSAGE: Final = 281
REFUSALS: Final = (403, 480, 500)


def realm_not_routed(view: View) -> Iterator[Sign]:
    """3003: an agent has no route to the realm; 3002 where it says itself that it is the realm (RFC 6733 §6.1.6)."""
    for attempt in view.failed:
        hops = _with_code(attempt, (REALM_NOT_SERVED,)) or _unrouted(view, attempt)
        if hops:
            realm = _realm(hops[0])
            text = f"{_who(view, hops[0])} answers {named(hops[0])} to realm {realm} with {hops[0].code}"
            away = _turned_away(view, hops[0])
            who = ", ".join(sorted({view.name(c.client) for c in away}))
            text += _reason(hops[0]) + (
                f"; it turns {who} away before CER: it has no such peer, or does not trust it" if away else ""
            )
            yield sign(text, (*_frames(hops), *(n for c in away[-2:] for n in c.frames)), attempt)


def outage_as_refusal(view: View) -> Iterator[Sign]:
    """The database could not be asked, and the UE is told 403, 480 or 500 as if it were refused (TS 24.229 §5.2.2)."""
    for attempt in view.failed:
        hops = _with_code(attempt, OUTAGES) or _unanswered(attempt)
        response = attempt.response
        if hops and response is not None and response.status in REFUSALS:
            said = f"{response.status} {response.reason}".strip()
            what = (
                f"{named(hops[0], answer=True)} {hops[0].code}"
                if hops[0].answer
                else f"no {named(hops[0], answer=True)}"
            )
            text = f"the UE is told {said!r}, and the reason is an outage: {what}"
            yield sign(text, (*_frames(hops), response.frame.number), attempt)


def database_down(view: View) -> Iterator[Sign]:
    """3002, 3004 or 5012: whoever should answer is not there, or cannot (RFC 6733 §7.1.3)."""
    for attempt in view.failed:
        hops = _with_code(attempt, OUTAGES - {REALM_NOT_SERVED})
        if hops and not _unrouted(view, attempt):
            text = f"{_who(view, hops[0])} answers {named(hops[0])} with {hops[0].code}{_reason(hops[0])}"
            refused = _not_connected(view, hops[0])
            if refused:
                ends = ", ".join(f"{view.name(c.server)} port {c.port}" for c in refused)
                text += f"; not connected: {ends}"
            yield sign(text, (*_frames(hops), *(number for c in refused for number in c.frames)), attempt)


def database_silent(view: View) -> Iterator[Sign]:
    """A Cx request that nobody answers: the host is there, its program is stuck."""
    for attempt in view.failed:
        hops = _unanswered(attempt)
        if hops:
            last = hops[-1]
            text = f"{view.name(last.request.frame.destination)} never answers the {named(last)}"
            yield sign(text, _frames(hops), attempt)


def binding_not_in_force(view: View) -> Iterator[Sign]:
    """A lent identity that is refused: no binding, or one that was disabled, released or has expired."""
    for attempt in view.failed:
        hops = _with_code(attempt, (USER_UNKNOWN, AUTHORIZATION_REJECTED, ROAMING_NOT_ALLOWED))
        if hops and view.is_lent(attempt.impi or attempt.impu):
            text = f"{_who(view, hops[0])} answers {named(hops[0])} with {hops[0].code} for the lent {attempt.impi}"
            yield sign(text, _frames(hops), attempt)


def unknown_user(view: View) -> Iterator[Sign]:
    """5001: the SIP database has no such private or public identity (TS 29.229 §6.2.2.1)."""
    for attempt in view.failed:
        hops = _with_code(attempt, (USER_UNKNOWN,))
        if hops and not view.is_lent(attempt.impi or attempt.impu):
            first = hops[0].request
            pair = f"User-Name {first.value(USER_NAME)}, Public-Identity {first.value(PUBLIC_IDENTITY)}"
            yield sign(f"{_who(view, hops[0])} answers {named(hops[0])} with 5001: {pair}", _frames(hops), attempt)


def identities_dont_match(view: View) -> Iterator[Sign]:
    """5002: both identities are known, but not of one subscription; or a MAR came before any UAR (Open5GS)."""
    for attempt in view.failed:
        hops = _with_code(attempt, (IDENTITIES_DONT_MATCH,))
        if hops:
            first = hops[0].request
            pair = f"{first.value(USER_NAME)} and {first.value(PUBLIC_IDENTITY)}"
            yield sign(f"{_who(view, hops[0])} answers {named(hops[0])} with 5002: {pair}", _frames(hops), attempt)


def identities_missing(view: View) -> Iterator[Sign]:
    """An MAA without User-Name or Public-Identity: Kamailio stores the vector under them (TS 29.228 table 6.3.2)."""
    for attempt in view.failed:
        for hop in attempt.answered(MAR):
            wanted = (("User-Name", USER_NAME), ("Public-Identity", PUBLIC_IDENTITY))
            missing = [name for name, code in wanted if hop.answer is not None and hop.answer.value(code) is None]
            # An error without them is no illness of its own, unless the S-CSCF hides the error behind it.
            counts = hop.code < UNABLE_TO_DELIVER or "identity" in (attempt.decider.reason if attempt.decider else "")
            if missing and counts and _decided_after(attempt, hop):
                yield sign(f"the MAA of {_who(view, hop)} has no {' and no '.join(missing)}", hop.frames, attempt)


def empty_scscf_list(view: View) -> Iterator[Sign]:
    """A good UAA with neither Server-Name nor Server-Capabilities, or 600 from the I-CSCF (TS 29.228 §6.1.1)."""
    for attempt in view.failed:
        hops = [
            hop
            for hop in attempt.answered(UAR)
            if hop.answer is not None and 2000 <= hop.code < 3000 and not hop.answer.value(SERVER_NAME)
        ]
        bare = [hop for hop in hops if hop.answer is not None and not hop.answer.all(SERVER_CAPABILITIES)]
        last = attempt.response
        if not attempt.answered(MAR) and (bare or (hops and attempt.status == 600)):
            shown = bare or hops
            lack = (
                "neither Server-Name nor Server-Capabilities" if bare else "capabilities that no S-CSCF of the list has"
            )
            text = f"the UAA of {_who(view, shown[0])} has {lack}; the UE is told {attempt.status}"
            yield sign(text, (*_frames(shown), last.frame.number if last else 0), attempt)


def assignment_refused(view: View) -> Iterator[Sign]:
    """The user is authenticated, and the SAA is an error: the database stores no such S-CSCF (TS 29.228 §6.1.2)."""
    for attempt in view.failed:
        hops = [hop for hop in attempt.answered(SAR) if hop.answer is not None and hop.code >= 3000]
        if hops and not _with_code(attempt, OUTAGES):
            yield sign(
                f"{_who(view, hops[0])} answers SAR with {hops[0].code}{_reason(hops[0])}", _frames(hops), attempt
            )


def _with_code(attempt: Attempt, codes: Iterable[int]) -> list[Hop]:
    """Return the hops of the last REGISTER answered with one of these, whose answer came first in front."""
    wanted = frozenset(codes)
    found = [hop for hop in attempt.hops if hop.code in wanted]
    return sorted(found, key=lambda hop: hop.answer.frame.number if hop.answer else 0)


def _unrouted(view: View, attempt: Attempt) -> list[Hop]:
    """Return the hops with 3002 whose agent turns peers away before CER, or says itself that nothing is routed there.

    An agent that knows no partner answers 3002, and closes what that partner's nodes open to it: they show the right
    certificate, and it has no entry for them.
    """
    hops = _with_code(attempt, (UNABLE_TO_DELIVER,))
    if not hops or hops[0].answer is None:
        return []
    is_said = any(word in _reason(hops[0]).lower() for word in ("no route", "not routed", "realm"))
    return hops if is_said or _turned_away(view, hops[0]) else []


def _turned_away(view: View, hop: Hop) -> list[Connection]:
    """Return the connections that the answering agent closed after the handshake, before any Diameter."""
    agent = hop.answer.frame.source if hop.answer else ""
    return [
        c
        for c in view.connections
        if agent == c.server == c.closed_by and peers.ends_before_cer(view, c) and peers.shows_its_name(view, c)
    ]


def _not_connected(view: View, hop: Hop) -> list[Connection]:
    """Return the last connection of the answering agent to each server, where that was refused or has ended."""
    assert hop.answer is not None
    agent, at_s = hop.answer.frame.source, hop.answer.frame.time_s
    last = {
        (c.server, c.port): c
        for c in view.connections
        if c.client == agent and c.opened_s <= at_s and c.port in view.diameter_ports
    }
    return [c for c in last.values() if c.refused or (c.closed and c.closed_s <= at_s)]


def _unanswered(attempt: Attempt) -> list[Hop]:
    return [hop for hop in attempt.hops if hop.answer is None]


def _decided_after(attempt: Attempt, hop: Hop) -> bool:
    decider = attempt.decider
    return decider is not None and hop.answer is not None and decider.frame.number > hop.answer.frame.number


def _who(view: View, hop: Hop) -> str:
    return view.name(hop.answer.frame.source if hop.answer else hop.request.frame.destination)


def _realm(hop: Hop) -> str:
    return hop.request.value(DESTINATION_REALM) or "unknown"


def _reason(hop: Hop) -> str:
    text = hop.answer.value(ERROR_MESSAGE) if hop.answer else None
    return f" ({text})" if text else ""


def _frames(hops: Iterable[Hop]) -> tuple[int, ...]:
    return tuple(number for hop in hops for number in hop.frames)
