"""The ISIM's side of a digest challenge: nonce in, response or AUTS out (RFC 3310 §3, TS 24.229 §5.1.1.5).

K lives in one process, the control process, with the one ``ChallengeResponder`` of the UE.  The stack's processes
(one a registration; two live at once while a UE is registered at home and at the partner) ask it over a pipe and get
a finished digest: they never hold K, RES, CK or IK.  So the sequence numbers have a single writer without any lock
between processes, in the order in which the challenges come, and a crash of pjsua2 takes no key with it.
The new state is on disk before the response leaves this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ue_agent.aka.digest import EMPTY_PASSWORD, decode_nonce, encode_auts_parameter, response
from ue_agent.aka.errors import InvalidChallenge, MacFailure, SynchronisationFailure
from ue_agent.aka.isim import Isim
from ue_agent.errors import StoreError

Refusal = Literal["", "mac-failure", "invalid-challenge", "isim-unavailable"]
REMEMBERED_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class DigestQuestion:
    """What the digest is made of, as it will stand in Authorization (RFC 2617 §3.2.2)."""

    username: str
    realm: str
    nonce: str
    uri: str
    method: str
    qop: str
    nc: str
    cnonce: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, with AUTS when the sequence number was not acceptable; or a refusal, and nothing is sent."""

    response: str = ""
    auts: str = ""
    refusal: Refusal = ""


@dataclass(frozen=True, slots=True)
class _Outcome:
    password: bytes
    auts: str


class ChallengeResponder:
    """Answers for one ISIM."""

    def __init__(self, isim: Isim, save: Callable[[tuple[int, ...]], None]) -> None:
        """Answer with ``isim``; ``save`` makes its state durable or raises StoreError."""
        self.isim = isim
        self._save = save
        # A callback may run twice for one nonce, and a later request may reuse it: the card is asked once.
        self._remembered: dict[tuple[str, str], _Outcome] = {}

    def answer(self, question: DigestQuestion) -> Answer:
        """Return what goes into Authorization; a hostile question gives a refusal, never an exception."""
        try:
            outcome = self._outcome(question)
            qop: Literal["auth"] | None = "auth" if question.qop == "auth" else None
            digest = response(
                question.username,
                question.realm,
                outcome.password,
                question.method,
                question.uri,
                question.nonce,
                qop,
                question.cnonce,
                question.nc,
            )
        except MacFailure:
            return Answer(refusal="mac-failure")
        except (InvalidChallenge, ValueError):
            return Answer(refusal="invalid-challenge")
        except StoreError:
            return Answer(refusal="isim-unavailable")
        return Answer(digest, outcome.auts)

    def _outcome(self, question: DigestQuestion) -> _Outcome:
        key = (question.username, question.nonce)
        known = self._remembered.get(key)
        if known is None:
            known = self._ask_card(question.nonce)
            self._remembered[key] = known
            if len(self._remembered) > REMEMBERED_MAX:
                del self._remembered[next(iter(self._remembered))]
        return known

    def _ask_card(self, nonce: str) -> _Outcome:
        rand, autn, _ = decode_nonce(nonce)
        before = self.isim.sequence_numbers
        try:
            result = self.isim.authenticate(rand, autn)
        except SynchronisationFailure as exc:
            return _Outcome(EMPTY_PASSWORD, encode_auts_parameter(exc.auts))
        try:
            self._save(self.isim.state)
        except StoreError:
            self.isim.sequence_numbers = before
            raise
        return _Outcome(result.res, "")
