"""Named checks over the end of bindings: RTR at the partner, withdrawal over CSC-17, cancellation by the HSS, holds.

What an MMS keeps is seen where an administrator asked it over CSC-X: a listing in the capture is the MMS's own word on
the wire, at its time.
"""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.index import MAR, PUBLIC_IDENTITY, USER_NAME, Exchange, Hop
from lab.evidence.queries import diameter_on, sets_in, story_of
from lab.evidence.story import Evidence, identity_set
from lab.evidence.texts import uri_of

RTR: Final = 304
SUCCESS: Final = 2001
USER_UNKNOWN: Final = 5001
BINDINGS_PATH: Final = "/csc-x/v1/bindings"
CSC_17_PREFIX: Final = "/csc-17/v1/partner-mc-system-access/"
ENDS: Final = ("release", "withdraw")
_RTR_FILTER: Final = "diameter.cmd.code == 304"


def registration_terminated(evidence: Evidence, *, ue: str, system: str, within_s: float = 2.0) -> Finding:
    """The partner's MMS had the whole partner set taken off by RTR, through the proxy, with RTA 2001 in time.

    The RTR names every IMPU of the set by Public-Identity (TS 29.228 §6.1.3); it is answered on both legs.
    """
    lent = sets_in(evidence, ue, system).partner
    hops = {leg: _terminations(evidence, leg, system, lent) for leg in ("mms", "aaa-2")}

    def faults() -> Iterator[str]:
        yield from lacks(lent, f"{ue} was lent no set of {system}")
        for leg, found in hops.items():
            yield from lacks(found, f"no RTR for the partner set on {leg}")
            yield from lacks(not found or any(_is_good(hop, within_s) for hop in found), _why_not(found, leg, within_s))
            for hop in found:
                named = {avp.value for avp in hop.request.all(PUBLIC_IDENTITY)}
                where = f"the RTR in frame {hop.request.frame.number}"
                yield from lacks(set(lent[1:]) <= named, f"{where} does not name all public identities")
                yield from differs(f"User-Name of {where}", hop.request.value(USER_NAME), lent[0])
        yield from lacks(
            not hops["mms"] or evidence.facts.role(hops["mms"][0].request.frame.source) == "mms", "not from the MMS"
        )

    every = [hop for found in hops.values() for hop in found]
    times = [f"{_elapsed_s(hop) * 1000:.0f} ms" for hop in every if hop.answer]
    return judged(_frames(every), _RTR_FILTER, faults(), f"RTA after {', '.join(times)}" if times else "")


def withdrawal_told(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """The primary's CMS told the partner's over CSC-17 that the primary migration set is withdrawn, and it took it."""
    told = _told(evidence, ue, system)
    taken = [exchange for exchange in told if 200 <= exchange.status < 300]
    frames = [number for exchange in told for number in exchange.frames]

    def faults() -> Iterator[str]:
        yield from lacks(told, f"no withdrawal of the set of {ue} reached {system} over CSC-17")
        yield from lacks(taken or not told, f"{system} did not take it: {[exchange.status for exchange in told]}")

    return judged(frames, f'http.request.uri contains "{CSC_17_PREFIX}"', faults())


def refused_before_told(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """The primary refused at once: MAR over CSC-Y for the set was answered 5001 before the partner was told."""
    told = [exchange.frames[-1] for exchange in _told(evidence, ue, system) if 200 <= exchange.status < 300]
    lent = sets_in(evidence, ue, system).primary
    refused = [
        hop
        for request in diameter_on(evidence, "csc-y", MAR)
        if request.is_request and lent and request.value(USER_NAME) == lent[0]
        for hop in (evidence.index.hop(request),)
        if hop.answer is not None and hop.answer.result_code == USER_UNKNOWN
    ]
    first = min((hop.answer.frame.number for hop in refused if hop.answer), default=None)

    def faults() -> Iterator[str]:
        yield from lacks(refused, "no MAR for the set was answered 5001 on CSC-Y")
        yield from lacks(told, f"{system} was never told")
        yield from lacks(not told or first is None or first < told[0], "the partner was told first")

    frames = [*_frames(refused), *told]
    return judged(frames, frame_filter(frames), faults())


def cancelled_by_hss(evidence: Evidence, *, ue: str, identities: str) -> Finding:
    """The home HSS's RTR for the ``lent`` or the ``default`` set was answered 2001, and only then the partner told."""
    story = story_of(evidence, ue)
    sets = {"lent": story.sets.primary, "default": (story.ue.private_user_identity,)}
    wanted = sets[identities]
    hops = [
        evidence.index.hop(m)
        for m in diameter_on(evidence, "hss", RTR, story.ue.system)
        if m.is_request and wanted and m.value(USER_NAME) == wanted[0]
    ]
    partner = evidence.facts.system_of(story.access.request.frame.destination) if story.access else ""
    told = [exchange.request.frame.number for exchange in _told(evidence, ue, partner)]

    def faults() -> Iterator[str]:
        yield from lacks(hops, f"no RTR of the HSS for the {identities} set of {ue}")
        for hop in hops:
            code = hop.answer.result_code if hop.answer else None
            yield from differs(f"answer to the RTR in frame {hop.request.frame.number}", code, SUCCESS)
        yield from lacks(told, "the partner was not told over CSC-17")
        begun = min((hop.request.frame.number for hop in hops), default=0)
        yield from lacks(not told or told[0] > begun, "the partner was told before the RTR")

    return judged([*_frames(hops), *told], _RTR_FILTER, faults())


def message_refused(evidence: Evidence, *, ue: str, system: str, status: int | tuple[int, ...]) -> Finding:
    """Once its registration was terminated no MESSAGE for the partner set arrived: each ended with this status."""
    wanted = set(status) if isinstance(status, tuple | list) else {status}
    lent = sets_in(evidence, ue, system).partner
    ended = max(
        (number for hop in _terminations(evidence, "aaa-2", system, lent) for number in _frames([hop])), default=0
    )
    addresses = story_of(evidence, ue).ue.addresses
    sent = [
        m
        for m in evidence.capture.sip
        if m.method == "MESSAGE"
        and m.is_request
        and m.frame.number > ended
        and evidence.facts.role(m.frame.source) == "ue"
        and m.uri.partition(";")[0] in lent[1:]
    ]
    arrived = evidence.index.received(addresses, ("MESSAGE",), ended)
    replies = [reply for m in sent if (reply := evidence.index.reply_to(m)) is not None]

    def faults() -> Iterator[str]:
        yield from lacks(ended, f"no RTR ended the registration of {ue} in {system}")
        yield from lacks(replies, f"nobody sent {ue} a MESSAGE after it")
        yield from lacks({m.status for m in replies} <= wanted, f"seen: {sorted({m.status for m in replies})}")
        yield from lacks(not arrived, f"one arrived in frame {[m.frame.number for m in arrived[:1]]}")

    frames = [m.frame.number for m in (*sent, *replies, *arrived)]
    return judged(frames, 'sip.Method == "MESSAGE"', faults())


def registration_event(evidence: Evidence, *, ue: str, system: str, state: str) -> Finding:
    """The S-CSCF told the P-CSCF by NOTIFY that the registration is in this state, after the RTR (TS 24.229 §5.2.3)."""
    lent = sets_in(evidence, ue, system).partner
    ended = [hop.request.frame.number for hop in _terminations(evidence, "aaa-2", system, lent)]
    facts = evidence.facts
    told = [
        m
        for m in evidence.capture.sip
        if m.is_request
        and m.method == "NOTIFY"
        and m.header("event").startswith("reg")
        and (facts.role(m.frame.source), facts.role(m.frame.destination)) == ("scscf", "pcscf")
        and facts.system_of(m.frame.destination) == system
        and uri_of(m.header("from")) in lent[1:]
        and f'state="{state}"' in _registration_tag(m.text)
    ]
    after = [m for m in told if ended and m.frame.number > ended[0]]
    replies = [reply for m in after if (reply := evidence.index.reply_to(m)) is not None]

    def faults() -> Iterator[str]:
        yield from lacks(ended, f"no RTR for the set of {ue} in {system}")
        yield from lacks(after, f"no NOTIFY of the registration {state} came after it")
        yield from lacks(not after or any(m.status == 200 for m in replies), "the P-CSCF did not take it")

    frames = [m.frame.number for m in (*after, *replies)]
    return judged(frames, 'sip.Method == "NOTIFY"', faults())


def instance_lost(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """One instance of the system's MMS had been at work, and after it fell silent another served the UE over CSC-X."""
    facts, story = evidence.facts, story_of(evidence, ue)
    asked = story.primary_set if system == story.ue.system else story.partner_set
    server = asked.request.frame.destination if asked else ""
    last: dict[str, int] = {}
    for frame, _, _ in evidence.capture.payloads:
        if facts.role(frame.source) == "mms" and facts.system_of(frame.source) == system:
            last[frame.source] = frame.number
    others = {address: number for address, number in last.items() if address != server}
    request = asked.request.frame.number if asked else 0

    def faults() -> Iterator[str]:
        yield from lacks(asked and asked.status == 200, f"{ue} was not served over CSC-X in {system}")
        yield from lacks(others, f"no other instance of the MMS of {system} was ever at work")
        for address, number in others.items():
            yield from lacks(number < request, f"{facts.hosts[address]} was at work until frame {number}")

    return judged([*others.values(), request], frame_filter([*others.values(), request]), faults())


def hold_lapsed(evidence: Evidence, *, system: str, role: str) -> Finding:
    """An MMS listed a set as held, and later none: nobody had given it back in between, it lapsed by itself."""
    listings = [(exchange, states) for exchange, states in _listings(evidence, system, role)]
    held = [exchange.frames[-1] for exchange, states in listings if "held" in states]
    none = [
        exchange.frames[-1] for exchange, states in listings if not states and held and exchange.frames[-1] > held[0]
    ]
    end = none[0] if none else 0
    given_back = [
        exchange.request.frame.number
        for exchange in evidence.exchanges
        if exchange.request.path.startswith(BINDINGS_PATH)
        and exchange.request.path.endswith("/release")
        and evidence.facts.system_of(exchange.request.frame.destination) == system
        and held
        and held[0] < exchange.request.frame.number < end
    ]

    def faults() -> Iterator[str]:
        yield from lacks(held, f"no listing of {system} shows a held set of role {role}")
        yield from lacks(none, "no later listing is empty")
        yield from lacks(not given_back, f"it was released in frame {given_back[:1]}")

    frames = [*held[-1:], *none[:1], *given_back]
    return judged(frames, frame_filter(frames), faults())


def _terminations(evidence: Evidence, leg: str, system: str, lent: tuple[str, ...]) -> list[Hop]:
    """Return the RTRs on a leg that name the set."""
    return [
        evidence.index.hop(m)
        for m in diameter_on(evidence, leg, RTR, system)
        if m.is_request and {avp.value for avp in m.all(PUBLIC_IDENTITY)} & set(lent[1:])
    ]


def _told(evidence: Evidence, ue: str, system: str) -> list[Exchange]:
    """Return the CSC-17 exchanges that end the binding of the UE's primary migration set at a partner."""
    lent = sets_in(evidence, ue, system).primary
    return [
        exchange
        for exchange in evidence.exchanges
        if exchange.request.path.startswith(CSC_17_PREFIX)
        and exchange.request.path.endswith(ENDS)
        and evidence.facts.system_of(exchange.request.frame.destination) == system
        and lent
        and identity_set(exchange.request.json().get("primary_mc_system_sip_identities")) == lent
    ]


def _registration_tag(text: str) -> str:
    """Return the tag of the first registration in a reginfo document (RFC 3680 §5)."""
    start = text.find("<registration ")
    return text[start : text.find(">", start)] if start >= 0 else ""


def _listings(evidence: Evidence, system: str, role: str) -> Iterator[tuple[Exchange, list[str]]]:
    """Yield the listings by hand of one MMS and role, with the states of what each shows."""
    for exchange in evidence.exchanges:
        path, _, query = exchange.request.path.partition("?")
        asked = path == BINDINGS_PATH and exchange.request.method == "GET" and parse_qs(query).get("role") == [role]
        if asked and exchange.status == 200 and evidence.facts.system_of(exchange.request.frame.destination) == system:
            yield exchange, [str(one.get("state")) for one in _rows(exchange)]


def _rows(exchange: Exchange) -> list[dict[str, Any]]:
    try:
        value = json.loads(exchange.response.body) if exchange.response else []
    except ValueError:
        return []
    rows = value.get("bindings", []) if isinstance(value, dict) else value
    return [row for row in rows if isinstance(row, dict)]


def _is_good(hop: Hop, within_s: float) -> bool:
    return hop.answer is not None and hop.answer.result_code == SUCCESS and _elapsed_s(hop) <= within_s


def _why_not(hops: list[Hop], leg: str, within_s: float) -> str:
    seen = [hop.answer.result_code if hop.answer else "no RTA" for hop in hops]
    slow = [f"{_elapsed_s(hop):.2f} s" for hop in hops if hop.answer]
    return f"no RTA 2001 in {within_s:g} s on {leg}; seen: {seen} after {slow}"


def _elapsed_s(hop: Hop) -> float:
    return hop.answer.frame.time_s - hop.request.frame.time_s if hop.answer else float("inf")


def _frames(hops: list[Hop]) -> list[int]:
    return [m.frame.number for hop in hops for m in (hop.request, hop.answer) if m is not None]
