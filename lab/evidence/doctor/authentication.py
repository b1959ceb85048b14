"""Rules about the challenge and its answer: IMS AKA between ISIM, S-CSCF and HSS (TS 33.203 §6.1, RFC 3310).

Each is pure.  An MD5 challenge is looked for first, since a UE with an ISIM cannot answer one.
"""

from collections.abc import Iterator
from typing import Final

from lab.evidence.checks.authentication import SIP_AUTHORIZATION, digest_response, member
from lab.evidence.doctor.attempts import MAR, Attempt, Outcome, Round
from lab.evidence.doctor.isim import explained
from lab.evidence.doctor.sign import Sign, sign
from lab.evidence.doctor.view import View
from lab.evidence.messages import walk

SCHEME: Final = 608
RESYNC_OCTETS: Final = 30


def algorithm_missing(view: View) -> Iterator[Sign]:
    """The first REGISTER names no algorithm, and the core falls back to MD5 (TS 24.229 §5.1.1.2.2)."""
    for attempt in view.failed:
        first = attempt.rounds[0]
        chosen = _not_aka(attempt)
        if chosen and not first.authorization.get("algorithm"):
            has = "an Authorization header without algorithm" if first.authorization else "no Authorization header"
            text = f"the first REGISTER has {has}; {chosen[0]}"
            yield sign(text, (first.request.frame.number, *chosen[1]), attempt)


def md5_chosen(view: View) -> Iterator[Sign]:
    """The UE asks for AKA, and the core challenges with something else (TS 33.203 §6.1.1)."""
    for attempt in view.failed:
        chosen = _not_aka(attempt)
        asked = attempt.rounds[0].authorization.get("algorithm", "")
        if chosen and asked:
            yield sign(f"the UE asks for {asked}; {chosen[0]}", chosen[1], attempt)


def resynchronisation_loops(view: View) -> Iterator[Sign]:
    """The UE sends AUTS, a fresh challenge comes, and it is out of range again (TS 33.102 §6.3.5)."""
    for attempt in view.failed:
        given = [one for one in attempt.rounds if one.authorization.get("auts")]
        if not given or _not_aka(attempt):
            continue
        taken = [
            hop
            for hop in attempt.answered(MAR)
            if any(
                a.code == SIP_AUTHORIZATION and _value_octets(a.octets) == RESYNC_OCTETS for a in walk(hop.request.avps)
            )
        ]
        times = f"{len(given)} AUTS of the UE" if len(given) > 1 else "an AUTS of the UE"
        where = (
            "no MAR carries RAND and AUTS" if not taken else "the MAR carries it, the next vector is out of range too"
        )
        numbers = [one.request.frame.number for one in given] + [n for hop in taken for n in hop.frames]
        yield sign(f"{times}, and no success: {where}", numbers, attempt)


def ue_rejects_network(view: View) -> Iterator[Sign]:
    """A challenge that the UE never answers, not even by AUTS: MAC of AUTN is wrong for its ISIM (TS 33.102 §6.3.3)."""
    for attempt in view.failed:
        last = attempt.rounds[-1]
        if attempt.outcome is Outcome.UNANSWERED and not _not_aka(attempt) and not _answers(attempt):
            assert last.response is not None
            text = f"{view.name(attempt.ue)} is challenged in frame {last.response.frame.number} and sends nothing more"
            keys = view.isim_of(attempt.ue)
            reason = explained(keys, last.challenge.get("nonce", "")) if keys else ""
            text += f"; {reason}" if reason else ""
            yield sign(text, (last.request.frame.number, last.response.frame.number), attempt)


def wrong_response(view: View) -> Iterator[Sign]:
    """The UE's digest is not the one that the network expects (RFC 3310 §3.3); computed anew where XRES can be read."""
    for attempt in view.failed:
        answered = [one for one in attempt.rounds if one.authorization.get("response")]
        if not answered or _not_aka(attempt) or any(one.authorization.get("auts") for one in answered):
            continue
        last = answered[-1]
        is_wrong = _is_wrong(attempt, last)
        decider = attempt.decider
        by_words = is_wrong is None and attempt.status == 403 and not any(h.code >= 3000 for h in attempt.hops)
        if is_wrong or by_words:
            how = (
                "is not the digest made with XRES of the MAA" if is_wrong else "is refused; XRES is not in the capture"
            )
            numbers = [last.request.frame.number, *(n for hop in attempt.answered(MAR) for n in hop.frames)]
            text = f"the response in frame {last.request.frame.number} {how}"
            yield sign(text, (*numbers, decider.frame.number if decider else 0), attempt)


def _not_aka(attempt: Attempt) -> tuple[str, tuple[int, ...]] | None:
    """Return how something else than AKA was chosen, with its frames; None where it was AKA or nothing was chosen."""
    for hop in attempt.answered(MAR):
        scheme = hop.request.value(SCHEME) or ""
        if scheme and not scheme.lower().startswith(("digest-aka", "unknown")):
            return f"the MAR asks for {scheme}", hop.frames
    for one in attempt.rounds:
        algorithm = one.challenge.get("algorithm", "MD5") if one.challenge else "AKA"  # RFC 2617 §3.2.1: none is MD5
        if not algorithm.upper().startswith("AKA") and one.response is not None:
            return f"the challenge names {algorithm}", (one.response.frame.number,)
    return None


def _answers(attempt: Attempt) -> list[Round]:
    return [one for one in attempt.rounds if one.authorization.get("response") or one.authorization.get("auts")]


def _is_wrong(attempt: Attempt, one: Round) -> bool | None:
    """Tell whether a response differs from what XRES gives; None where no MAA of this nonce can be read."""
    given = one.authorization
    for hop in attempt.answered(MAR):
        xres = member(hop.answer, SIP_AUTHORIZATION)
        if xres and hop.answer is not None and hop.answer.frame.number < one.request.frame.number:
            return given["response"] not in {
                digest_response(given, "REGISTER", member(h.answer, SIP_AUTHORIZATION)) for h in attempt.answered(MAR)
            }
    return None


def _value_octets(avp: str) -> int:
    """Return how long the value of a whole AVP of a vendor is: its length without 12 octets of header."""
    return int(avp[10:16], 16) - 12
