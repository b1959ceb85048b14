"""From a view to a diagnosis: every cause whose signs are there, the root first, and the ladder of what failed.

A failed registration that no rule explains is said to be so, and is never passed over.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.evidence.decoded import decoded_fields
from lab.evidence.doctor.attempts import Attempt
from lab.evidence.doctor.authorisations import Authorisation, carries_token
from lab.evidence.doctor.causes import CAUSES, UNEXPLAINED, Cause
from lab.evidence.doctor.sign import Sign
from lab.evidence.doctor.view import View
from lab.evidence.messages import DiameterMessage, SipMessage
from lab.evidence.texts import digest_parameters


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MendReport(_Value):
    """What to change, where."""

    program: str
    text: str


class Rung(_Value):
    """One message of a failed registration."""

    frame: int
    at_s: float
    source: str
    destination: str
    text: str


class AttemptReport(_Value):
    """One registration and how it ended."""

    ue: str
    private_user_identity: str
    public_user_identity: str
    outcome: str
    status: Annotated[int, Field(description="Last SIP status; 0 when nothing came.")]
    reason: str
    frames: Annotated[tuple[int, int], Field(description="First and last frame.")]
    ladder: tuple[Rung, ...] = ()


class AuthorisationReport(_Value):
    """One service authorisation that was refused, and what its access token says; never the token."""

    ue: str
    public_user_identity: str
    server: str
    status: Annotated[int, Field(description="0 when nothing came.")]
    reason: str
    issuer: str
    mc_service_id: str
    frames: Annotated[tuple[int, int], Field(description="First and last frame.")]
    ladder: tuple[Rung, ...] = ()


class Illness(_Value):
    """One cause with its signs."""

    cause: str
    meaning: str
    signs: tuple[str, ...]
    frames: tuple[int, ...]
    filter: str
    mends: tuple[MendReport, ...]


class Diagnosis(_Value):
    """What a doctor says of a capture; ``illnesses`` begin with the root."""

    capture: str
    verdict: Literal["healthy", "ill", "no registration"]
    illnesses: tuple[Illness, ...]
    failed: tuple[AttemptReport, ...]
    registrations: Annotated[int, Field(description="How many there are, failed ones included.")]
    refused: tuple[AuthorisationReport, ...] = ()
    authorisations: Annotated[int, Field(description="How many of MC services there are, refused ones included.")] = 0
    notes: tuple[str, ...] = ()


def diagnose(view: View, capture: str = "") -> Diagnosis:
    """Return the diagnosis: a pure function."""
    illnesses = []
    explained: set[int] = set()
    for cause in CAUSES:
        signs = tuple(cause.rule(view))
        if signs:
            illnesses.append(_illness(cause, signs))
            explained |= {id(s.attempt) for s in signs if s.attempt is not None}
    unexplained = [attempt for attempt in view.failed if id(attempt) not in explained]
    refused = [one for one in view.refused if id(one) not in explained]
    if unexplained or refused:
        illnesses.append(_unexplained(view, unexplained, refused))
    is_seen = view.attempts or view.authorisations
    verdict: Literal["healthy", "ill", "no registration"] = "healthy" if is_seen else "no registration"
    return Diagnosis(
        capture=capture,
        verdict="ill" if illnesses else verdict,
        illnesses=tuple(illnesses),
        failed=tuple(_reported(view, attempt) for attempt in view.failed),
        registrations=len(view.attempts),
        refused=tuple(_told(view, one) for one in view.refused),
        authorisations=len(view.authorisations),
        notes=view.notes,
    )


def _illness(cause: Cause, signs: tuple[Sign, ...]) -> Illness:
    frames = tuple(sorted({number for one in signs for number in one.frames}))
    mends = tuple(MendReport(program=mend.program, text=mend.text) for mend in cause.mends)
    return Illness(
        cause=cause.id,
        meaning=cause.meaning,
        signs=tuple(dict.fromkeys(one.detail for one in signs)),
        frames=frames,
        filter=Sign(frames, "").filter,
        mends=mends,
    )


def _unexplained(view: View, attempts: list[Attempt], refused: list[Authorisation]) -> Illness:
    texts = [f"{view.name(a.ue)} {a.impu}: {a.outcome}, {a.status} {_reason(a)}".rstrip() for a in attempts]
    for one in refused:
        said = f"{one.status} {_reason(one)}".rstrip()
        token = "; its access token is encrypted" if one.is_encrypted else ""
        texts.append(f"{view.name(one.server)} {one.impu}: service authorisation refused, {said}{token}")
    numbers = {m.frame.number for a in attempts for m in a.legs} | {n for one in refused for n in one.frames}
    frames = tuple(sorted(numbers))
    mend = MendReport(program="capture", text="on every interface of the core, with Cx and TLS secrets, and ask again")
    return Illness(
        cause=UNEXPLAINED,
        meaning="A registration or a service authorisation failed, and nothing in this capture says why.",
        signs=tuple(dict.fromkeys(texts)),
        frames=frames,
        filter=Sign(frames, "").filter,
        mends=(mend,),
    )


def _reason(failed: Attempt | Authorisation) -> str:
    response = failed.response if isinstance(failed, Attempt) else failed.reply
    return response.reason if response else ""


def _reported(view: View, attempt: Attempt) -> AttemptReport:
    messages: list[SipMessage | DiameterMessage] = [*attempt.legs]
    for hop in attempt.hops:
        messages += [hop.request, *([hop.answer] if hop.answer else [])]
    messages.sort(key=lambda message: message.frame.number)
    start_s = messages[0].frame.time_s
    return AttemptReport(
        ue=view.name(attempt.ue),
        private_user_identity=attempt.impi,
        public_user_identity=attempt.impu,
        outcome=attempt.outcome,
        status=attempt.status,
        reason=_reason(attempt),
        frames=(messages[0].frame.number, messages[-1].frame.number),
        ladder=tuple(_rung(view, message, start_s) for message in messages),
    )


def _told(view: View, one: Authorisation) -> AuthorisationReport:
    messages = one.messages
    first, ue = messages[0], one.register.frame.source if one.register else ""
    return AuthorisationReport(
        ue=view.name(ue) if ue else "",
        public_user_identity=one.impu,
        server=view.name(one.server),
        status=one.status,
        reason=_reason(one),
        issuer=str(one.claims.get("iss", "")),
        mc_service_id=str(one.claims.get("mcptt_id", "")),
        frames=(first.frame.number, messages[-1].frame.number),
        ladder=tuple(_rung_of(view, one, message, first.frame.time_s) for message in messages),
    )


def _rung_of(view: View, one: Authorisation, message: SipMessage, start_s: float) -> Rung:
    rung = _rung(view, message, start_s)
    if message is not one.request:
        return rung
    carried = " with access token" if one.has_token else ""
    return rung.model_copy(update={"text": f"third-party REGISTER{carried}"})


def _rung(view: View, message: SipMessage | DiameterMessage, start_s: float) -> Rung:
    frame = message.frame
    return Rung(
        frame=frame.number,
        at_s=round(frame.time_s - start_s, 6),
        source=view.name(frame.source),
        destination=view.name(frame.destination),
        text=_text(message),
    )


def _text(message: SipMessage | DiameterMessage) -> str:
    """Return a message in a few words: no vector, no digest response."""
    if isinstance(message, DiameterMessage):
        command = dict(decoded_fields(message))["command"].split(" ")[0]
        return command if message.is_request else f"{command} {message.result_code or 'without a result'}"
    if not message.is_request:
        challenge = digest_parameters(message.header("www-authenticate"))
        return " ".join(filter(None, (str(message.status), message.reason, challenge.get("algorithm", ""))))
    given = digest_parameters(message.header("authorization"))
    shown = [name for name in ("response", "auts") if given.get(name)]
    shown += ["access token"] if carries_token(message) else []
    words = (message.method, given.get("algorithm", "").split(",")[0], *(f"with {name}" for name in shown))
    return " ".join(word for word in words if word)
