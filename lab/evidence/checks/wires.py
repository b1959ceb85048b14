"""Named checks over Diameter and HTTP: answers with a code, refusals with a step, wires on which nothing may pass."""

from collections.abc import Iterator, Sequence

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.index import Exchange
from lab.evidence.legs import LEGS
from lab.evidence.queries import diameter_on, is_from, story_of
from lab.evidence.sightings import everything
from lab.evidence.story import Evidence
from lab.evidence.texts import is_registering

COMMANDS = {"UAR": 300, "SAR": 301, "LIR": 302, "MAR": 303, "RTR": 304, "PPR": 305}
# fmt: off
PATHS = {"csc-x": "/csc-x/", "csc-17": "/csc-17/", "csc-4": "/csc-4/"}
NAMES = {"csc-1": "idms"}
BY_HAND = ("/csc-x/v1/import", "/csc-x/v1/export", "/csc-x/v1/withdrawals", "/csc-x/v1/audit", "/csc-x/v1/agreements")
# fmt: on
SAR_TYPE = 614
DEREGISTRATIONS = frozenset({"4", "5", "6", "7", "8", "9", "10", "11"})


def diameter_answer(
    evidence: Evidence, *, leg: str, command: str | int, code: int, system: str = "", within_s: float = 0.0
) -> Finding:
    """Some answer of the command on the wire has this Result-Code or Experimental-Result-Code."""
    number = COMMANDS[command] if isinstance(command, str) else command
    leg = _known(leg)
    answers = [m for m in diameter_on(evidence, leg, number, system) if not m.is_request]
    found = [m for m in answers if m.result_code == code]

    def faults() -> Iterator[str]:
        seen = sorted({m.result_code or 0 for m in answers})
        yield from lacks(found, f"no answer {code} to {command} on {leg}; seen: {seen}")
        for answer in found if within_s else ():
            request = evidence.index.request_of(answer)
            elapsed_s = answer.frame.time_s - request.frame.time_s if request else float("inf")
            yield from lacks(elapsed_s <= within_s, f"frame {answer.frame.number} came after {elapsed_s:.2f} s")

    frames = [m.frame.number for m in found]
    return judged(frames, f"diameter.cmd.code == {number} && diameter.flags.request == 0", faults())


def http_refused(evidence: Evidence, *, ue: str, wire: str, status: int, step: str | None = None) -> Finding:
    """The last request on the wire was refused with this status, in problem details that name the step (RFC 9457)."""
    found = [x for x in exchanges_on(evidence, wire) if wire != "csc-4" or is_from(evidence, ue, x)]
    if not found:
        return judged((), "http", [f"no request on {wire}"])
    last = found[-1]

    def faults() -> Iterator[str]:
        yield from differs("status", last.status, status)
        if step is not None:
            yield from differs("step", last.answer().get("step"), step)
            yield from lacks(last.answer().get("type"), "no problem details")

    detail = str(last.answer().get("type", ""))
    return judged(last.frames, f"tcp.stream == {last.request.frame.stream} && http", faults(), detail)


def nothing_on(evidence: Evidence, *, leg: str) -> Finding:
    """No request of the migration is on this wire; on ``hss``: no MAR that came over CSC-Y.

    ``tls-was-readable`` says whether it would have been seen.
    """
    name = _known(leg)
    if leg in PATHS:
        frames = [x.request.frame.number for x in exchanges_on(evidence, leg) if not _is_by_hand(x)]
    elif leg == "hss":
        crossing = {m.end_to_end for m in diameter_on(evidence, "csc-y", COMMANDS["MAR"])}
        asked = [m for m in diameter_on(evidence, "hss", COMMANDS["MAR"]) if m.is_request]
        frames = [m.frame.number for m in asked if m.end_to_end in crossing]
    elif name == "idms":
        frames = [x.request.frame.number for x in exchanges_on(evidence, "csc-1")]
    elif name == "gm":
        frames = [m.frame.number for m in evidence.capture.sip if m.is_request and evidence.index.leg(m) == name]
    else:
        frames = [m.frame.number for m in diameter_on(evidence, name) if m.is_request]
    return judged(frames, frame_filter(frames), lacks(not frames, f"{leg} carries requests: frames {frames[:3]}"))


def identity_absent(evidence: Evidence, *, identity: str, leg: str = "") -> Finding:
    """The text is nowhere on the wire (or, without one, nowhere): payload, header or octets; and something was there.

    Raises:
        KeyError: there is no such wire.
        ValueError: an empty text would be everywhere.
    """
    if not identity:
        raise ValueError("an empty identity")
    wanted = _known(leg) if leg else ""
    searched = [seen for seen in everything(evidence.capture, evidence.facts) if not leg or seen.leg == wanted]
    found = [seen for seen in searched if identity.lower() in seen.text.lower()]
    frames = sorted({seen.frame.number for seen in found})

    def faults() -> Iterator[str]:
        yield from lacks(searched, f"nothing was on {leg or 'any wire'} to be searched")
        yield from (f"frame {seen.frame.number} on {seen.leg} holds it" for seen in found[:3])

    return judged(frames, frame_filter(frames), faults(), f"{len(searched)} messages and frames searched")


def through_agents(evidence: Evidence, *, ue: str, csc_y: Sequence[str], hss: Sequence[str]) -> Finding:
    """The MAR of the UE passed these agents, in this order: between the proxies, and before the SIP database."""
    story = story_of(evidence, ue)

    def faults() -> Iterator[str]:
        for wire, path, wanted in (("csc-y", story.csc_y_path, csc_y), ("hss", story.hss_path, hss)):
            passed = [evidence.facts.hosts.get(hop.request.frame.destination, "") for hop in path]
            yield from differs(f"agents on {wire}", passed[:-1], list(wanted))
            ends = [evidence.facts.role(hop.request.frame.destination) for hop in path[-1:]]
            yield from differs(f"end of {wire}", ends, ["hss" if wire == "hss" else "proxy"])

    frames = [hop.request.frame.number for hop in (*story.csc_y_path, *story.hss_path)]
    return judged(frames, frame_filter(frames), faults())


def home_registration_kept(evidence: Evidence, *, ue: str) -> Finding:
    """Between the migrated 200 and the end no SAR or RTR ended the registration in the primary system.

    What the UE ended itself, with Expires 0 in its own system, is no loss.
    """
    story = story_of(evidence, ue)
    home, partner = story.home, story.partner
    is_migrated = bool(partner and partner.final and partner.final.status == 200)
    migrated = partner.final.frame.number if partner and partner.final else 0
    registered = bool(home and home.final and home.final.status == 200)
    own = (story.ue.private_user_identity, *story.ue.public_user_identities)
    ended = [
        m.frame.number
        for leg in ("aaa-2", "hss")
        for m in diameter_on(evidence, leg, system=story.ue.system)
        if m.is_request
        and any(identity in m.text for identity in own)
        and (
            m.command_code == COMMANDS["RTR"]
            or (m.command_code == COMMANDS["SAR"] and m.value(SAR_TYPE) in DEREGISTRATIONS)
        )
    ]
    left = [
        m.frame.number
        for m in evidence.index.sent(story.ue.addresses, "REGISTER")
        if not is_registering(m) and evidence.facts.system_of(m.frame.destination) == story.ue.system
    ]
    after = sorted(n for n in ended if n > migrated and not any(number < n for number in left))

    def faults() -> Iterator[str]:
        yield from lacks(registered, f"{ue} was not registered in {story.ue.system}")
        yield from lacks(is_migrated, f"{ue} was not registered in a partner system")
        yield from lacks(not after, f"frame {after[:1]} ended the home registration")

    frames = [*([home.final.frame.number] if home and home.final else []), *after]
    return judged(frames, frame_filter(frames), faults())


def _known(leg: str) -> str:
    """Return the wire of a name that a scenario uses.

    Raises:
        KeyError: there is no such wire; nothing would ever be on it.
    """
    name = NAMES.get(leg, leg)
    if name not in LEGS:
        raise KeyError(f"no wire {leg}; there are {', '.join(sorted(LEGS))}")
    return name


def exchanges_on(evidence: Evidence, wire: str) -> list[Exchange]:
    if wire == "csc-1":
        return [x for x in evidence.exchanges if evidence.index.leg(x.request) == "idms"]
    return [x for x in evidence.exchanges if x.request.path.startswith(PATHS[wire])]


def _is_by_hand(exchange: Exchange) -> bool:
    """Tell what an administrator or a start does over CSC-X (listing, importing, agreements) from steps of 10.1.X.1."""
    path = exchange.request.path.partition("?")[0]
    if path.startswith("/csc-x/v1/bindings"):
        return exchange.request.method != "POST"
    return path.startswith(BY_HAND)
