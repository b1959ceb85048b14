"""Named checks over Diameter and HTTP: answers with a code, refusals with a step, wires on which nothing may pass."""

from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, judged, lacks
from lab.evidence.checks.secrecy import messages
from lab.evidence.queries import diameter_on, request_of, story_of
from lab.evidence.story import Evidence, Exchange, leg_of

COMMANDS = {"UAR": 300, "SAR": 301, "LIR": 302, "MAR": 303, "RTR": 304, "PPR": 305}
# fmt: off
PATHS = {"csc-x": "/csc-x/", "csc-17": "/csc-17/", "csc-4": "/csc-4/"}
LEGS = {"csc-1": "idms"}
# fmt: on
SAR_TYPE = 614
DEREGISTRATIONS = frozenset({"4", "5", "6", "7", "8", "9", "10", "11"})


def diameter_answer(
    evidence: Evidence, *, leg: str, command: str | int, code: int, system: str = "", within_s: float = 0.0
) -> Finding:
    """Some answer of the command on the leg has this Result-Code or Experimental-Result-Code."""
    number = COMMANDS[command] if isinstance(command, str) else command
    answers = [m for m in diameter_on(evidence, leg, number, system) if not m.is_request]
    found = [m for m in answers if m.result_code == code]

    def faults() -> Iterator[str]:
        seen = sorted({m.result_code or 0 for m in answers})
        yield from lacks(found, f"no answer {code} to {command} on {leg}; seen: {seen}")
        for answer in found if within_s else ():
            request = request_of(evidence, answer)
            elapsed_s = answer.frame.time_s - request.frame.time_s if request else 0.0
            yield from lacks(elapsed_s <= within_s, f"frame {answer.frame.number} came after {elapsed_s:.2f} s")

    frames = [m.frame.number for m in found]
    return judged(frames, f"diameter.cmd.code == {number} && diameter.flags.request == 0", faults())


def http_refused(evidence: Evidence, *, ue: str, wire: str, status: int, step: str | None = None) -> Finding:
    """The last request on the wire was refused with this status, in problem details that name the step (RFC 9457)."""
    found = [x for x in _exchanges(evidence, wire) if wire != "csc-4" or _is_from(evidence, ue, x)]
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
    """No request of the migration is on this leg; on ``hss``: no MAR that came over CSC-Y."""
    if leg in PATHS:
        frames = [x.request.frame.number for x in _exchanges(evidence, leg) if not _is_by_hand(x)]
    elif leg == "hss":
        crossing = {m.end_to_end for m in diameter_on(evidence, "csc-y", COMMANDS["MAR"])}
        asked = [m for m in diameter_on(evidence, "hss", COMMANDS["MAR"]) if m.is_request]
        frames = [m.frame.number for m in asked if m.end_to_end in crossing]
    else:
        frames = [m.frame.number for m in diameter_on(evidence, LEGS.get(leg, leg)) if m.is_request]
    return judged(frames, frame_filter(frames), lacks(not frames, f"{leg} carries requests: frames {frames[:3]}"))


def identity_absent(evidence: Evidence, *, identity: str, leg: str = "") -> Finding:
    """The text is nowhere on the leg (or, without one, nowhere), payload or header."""
    wanted = LEGS.get(leg, leg)
    found = [seen for seen in messages(evidence) if identity in seen.text and (not leg or seen.leg == wanted)]
    frames = [seen.frame.number for seen in found]
    return judged(frames, frame_filter(frames), (f"frame {s.frame.number} on {s.leg} holds it" for s in found[:3]))


def home_registration_kept(evidence: Evidence, *, ue: str) -> Finding:
    """Between the migrated 200 and the end no SAR or RTR ended the registration in the primary system."""
    story = story_of(evidence, ue)
    home, partner = story.home, story.partner
    migrated = partner.final.frame.number if partner and partner.final else 0
    registered = bool(home and home.final and home.final.status == 200)
    own = (story.ue.private_user_identity, *story.ue.public_user_identities)
    ended = [
        m.frame.number
        for m in evidence.capture.diameter
        if m.is_request
        and evidence.facts.system_of(m.frame.source) == story.ue.system
        and any(identity in m.text for identity in own)
        and (
            m.command_code == COMMANDS["RTR"]
            or (m.command_code == COMMANDS["SAR"] and m.value(SAR_TYPE) in DEREGISTRATIONS)
        )
        and leg_of(m.frame, evidence.facts) in ("aaa-2", "hss")
    ]
    back = [m.frame.number for m in evidence.capture.sip if m.method == "REGISTER" and m.header("expires") == "0"]
    after = [n for n in ended if n > migrated and not any(number < n for number in back)]

    def faults() -> Iterator[str]:
        yield from lacks(registered, f"{ue} was not registered in {story.ue.system}")
        yield from lacks(migrated, f"{ue} was not registered in a partner system")
        yield from lacks(not after, f"frame {after[:1]} ended the home registration")

    frames = [*([home.final.frame.number] if home and home.final else []), *after]
    return judged(frames, frame_filter(frames), faults())


def _exchanges(evidence: Evidence, wire: str) -> list[Exchange]:
    if wire == "csc-1":
        return [x for x in evidence.exchanges if leg_of(x.request.frame, evidence.facts) == "idms"]
    return [x for x in evidence.exchanges if x.request.path.startswith(PATHS[wire])]


def _is_from(evidence: Evidence, ue: str, exchange: Exchange) -> bool:
    return exchange.request.frame.source in story_of(evidence, ue).ue.addresses


def _is_by_hand(exchange: Exchange) -> bool:
    """Tell what an administrator does over CSC-X (listing and changing bindings) from the steps of 10.1.X.1."""
    return (
        exchange.request.path.partition("?")[0].startswith("/csc-x/v1/bindings") and exchange.request.method != "POST"
    )
