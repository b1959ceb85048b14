"""One registration of one UE as a machine: REGISTER, 401, REGISTER, 200, with timers and back-off.

The non-INVITE client transaction over UDP (RFC 3261 §17.1.2): Timer E doubles from T1 to T2, Timer F ends it.  Who is
told to come again (503, 504, 408, or nothing at all) does so after Retry-After or twice as long each time (RFC 3261
§21.5.4).  Octets and the time come in, octets and a due time go out; it sends nothing and waits for nothing itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from lab.load.sip import (
    Dialogue,
    Response,
    answer_authorization,
    decode_response,
    encode_register,
    first_authorization,
)
from ue_agent.aka.digest import EMPTY_PASSWORD, decode_nonce, encode_auts_parameter, response
from ue_agent.aka.errors import InvalidChallenge, MacFailure, SynchronisationFailure
from ue_agent.aka.isim import Isim

COME_AGAIN: Final = frozenset({408, 503, 504})
CHALLENGES_MAX: Final = 3
"""The first, one after AUTS, and one for a nonce that had become stale meanwhile."""


@dataclass(frozen=True, slots=True)
class Timers:
    """T1 and T2 of RFC 3261 §17.1.1.1, when a transaction is given up (Timer F), and the back-off."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    f_s: float = 32.0
    back_off_s: float = 0.5
    back_off_max_s: float = 32.0
    tries: int = 4


class State(Enum):
    """Where a registration is."""

    IDLE = "idle"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    BACKING_OFF = "backing off"
    ENDED = "ended"


@dataclass(slots=True)
class Record:
    """What came of one registration: how long each leg took in seconds, and every response that was a failure."""

    outcome: str = ""
    challenge_s: float | None = None
    answer_s: float | None = None
    whole_s: float | None = None
    failures: list[str] = field(default_factory=list)
    retransmissions: int = 0
    tries: int = 0

    @property
    def ok(self) -> bool:
        """Whether it ended with 200."""
        return self.outcome == "200"


class Registration:
    """The registrations of one UE, one at a time.

    Attributes:
        due: when ``tick`` wants to be called; None when nothing is awaited.
        record: of the registration under way, or of the last one.
    """

    def __init__(
        self, dialogue: Dialogue, isim: Isim, timers: Timers, token: Callable[[], str], jitter: Callable[[], float]
    ) -> None:
        """``token`` gives a text never given before, ``jitter`` a number from 0 to 1."""
        self.state = State.IDLE
        self.due: float | None = None
        self.record = Record()
        self._dialogue = dialogue
        self._isim = isim
        self._timers = timers
        self._token = token
        self._jitter = jitter
        self._cseq = 0
        self._expires = 0
        self._branch = ""
        self._request = b""
        self._challenges = 0
        self._began = self._sent = self._gives_up = 0.0
        self._interval = 0.0

    def begin(self, now: float, expires: int) -> bytes:
        """Return the first REGISTER; ``expires`` 0 de-registers."""
        assert self.state in (State.IDLE, State.ENDED), f"a registration is {self.state.value}"
        self.record = Record()
        self._expires = expires
        self._began = now
        return self._try(now)

    def receive(self, octets: bytes, now: float) -> bytes | None:
        """Take a datagram; return what to send, if anything."""
        answer = decode_response(octets)
        is_awaited = self.state in (State.TRYING, State.PROCEEDING)
        if answer is None or not is_awaited or (answer.branch, answer.cseq) != (self._branch, self._cseq):
            return None
        if answer.status < 200:
            self.state, self._interval = State.PROCEEDING, self._timers.t2_s
            self.due = min(now + self._interval, self._gives_up)
            return None
        if answer.status == 401:
            return self._challenged(answer, now)
        if answer.status == 200:
            self.record.answer_s, self.record.whole_s = now - self._sent, now - self._began
            self._end("200")
            return None
        self._failed(str(answer.status), now, answer.status in COME_AGAIN, answer.retry_after_s)
        return None

    def tick(self, now: float) -> bytes | None:
        """Take note of the time; return what to send, if anything."""
        if self.due is None or now < self.due:
            return None
        if self.state is State.BACKING_OFF:
            return self._try(now)
        if now >= self._gives_up:
            self._failed("timeout", now, come_again=True)
            return None
        self.record.retransmissions += 1
        self._interval = min(2 * self._interval, self._timers.t2_s)
        self.due = min(now + self._interval, self._gives_up)
        return self._request

    def _try(self, now: float) -> bytes:
        self.record.tries += 1
        self._challenges = 0
        return self._send(first_authorization(self._dialogue), now)

    def _send(self, authorization: str, now: float) -> bytes:
        self._cseq += 1
        self._branch = f"z9hG4bK{self._token()}"
        self._request = encode_register(self._dialogue, self._branch, self._cseq, self._expires, authorization)
        self.state, self._sent = State.TRYING, now
        self._interval, self._gives_up = self._timers.t1_s, now + self._timers.f_s
        self.due = min(now + self._interval, self._gives_up)
        return self._request

    def _challenged(self, answer: Response, now: float) -> bytes | None:
        self._challenges += 1
        if self._challenges > CHALLENGES_MAX:
            self._failed("401", now, come_again=False)
            return None
        if self._challenges == 1:
            self.record.challenge_s = now - self._sent
        try:
            authorization = self._answer_to(answer.challenge)
        except MacFailure:
            self._failed("mac-failure", now, come_again=False)
            return None
        except InvalidChallenge:
            self._failed("invalid-challenge", now, come_again=False)
            return None
        return self._send(authorization, now)

    def _answer_to(self, challenge: dict[str, str]) -> str:
        nonce = challenge.get("nonce", "")
        rand, autn, _ = decode_nonce(nonce)
        password, auts = EMPTY_PASSWORD, ""
        try:
            password = self._isim.authenticate(rand, autn).res
        except SynchronisationFailure as exc:
            self.record.failures.append("resynchronisation")
            auts = encode_auts_parameter(exc.auts)
        dialogue = self._dialogue
        has_qop = "auth" in [one.strip() for one in challenge.get("qop", "").split(",")]
        cnonce, nc = (self._token(), "00000001") if has_qop else ("", "")
        digest = response(
            dialogue.private_user_identity,
            dialogue.home_domain,
            password,
            "REGISTER",
            dialogue.uri,
            nonce,
            "auth" if has_qop else None,
            cnonce,
            nc,
        )
        return answer_authorization(dialogue, nonce, digest, cnonce, nc, challenge.get("opaque", ""), auts)

    def _failed(self, code: str, now: float, come_again: bool, retry_after_s: int | None = None) -> None:
        self.record.failures.append(code)
        if not come_again or self.record.tries >= self._timers.tries:
            self._end(code)
            return
        longest = min(self._timers.back_off_s * 2 ** (self.record.tries - 1), self._timers.back_off_max_s)
        wait = longest * (0.5 + 0.5 * self._jitter())
        self.state = State.BACKING_OFF
        self.due = now + max(wait, float(retry_after_s or 0))

    def _end(self, outcome: str) -> None:
        self.record.outcome = outcome
        self.state, self.due = State.ENDED, None
