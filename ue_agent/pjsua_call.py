"""One call of a SIP stack: INVITE, 180, 200, ACK, RTP of a tone, BYE (TS 24.229 §5.1.3, §5.1.4; RFC 3261 §13).

Part of the door to pjsua2 (``pjsua_stack`` states the rules that it holds).  Sound comes from a tone generator and
goes nowhere: there is no sound device, and RTP is really sent.  It decides nothing: whoever commands the UE answers.
"""

import contextlib
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pjsua2 as pj

from ue_agent.errors import StackError
from ue_agent.sip_headers import address_of

OK: Final = 200
RINGING: Final = 180
BUSY_HERE: Final = 486
CODECS: Final = ("PCMU/8000/1", "PCMA/8000/1")
"""G.711, which every core and every other UE takes; few codecs keep the INVITE inside one datagram."""

TONE_HZ: Final = (440, 480)
TONE_ON_MS: Final = 1000
TONE_OFF_MS: Final = 0


@dataclass(frozen=True, slots=True)
class CallReceived:
    """An INVITE came in and was answered 180."""

    caller: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The call is there: 200 and ACK, whichever side sent which."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call ended, or never came to be: the last status, and the RTP packets of its whole length."""

    status: int
    reason: str
    rtp_sent: int
    rtp_received: int


@dataclass(frozen=True, slots=True)
class MediaCounted:
    """RTP packets so far."""

    rtp_sent: int
    rtp_received: int


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The media stream is there: for the thread that makes all calls, which gives it its tone."""


CallEvent = CallReceived | CallAnswered | CallEnded | MediaCounted | MediaStarted


class Calls:
    """At most one call at a time; another that comes in meanwhile is answered 486."""

    def __init__(self, push: Callable[[CallEvent], None]) -> None:
        """Prepare; ``push`` is called on pjsua2's thread and must not block."""
        self._push = push
        self._call: _Call | None = None
        self._over: list[_Call] = []
        self._tone: Any = None

    def make(self, account: Any, to: str) -> None:
        """Send INVITE; its end is a CallAnswered or a CallEnded.

        Raises:
            StackError: there is a call already, or ``to`` cannot be called.
        """
        if self._is_busy():
            raise StackError("there is a call already")
        self._call = _Call(account, self._push)
        try:
            self._call.makeCall(to, _options(0))
        except pj.Error as exc:
            raise StackError(f"INVITE cannot be sent: {exc.reason}") from exc

    def take(self, account: Any, call_id: int) -> None:
        """Take an INVITE that came in: on pjsua2's thread, which answers 500 when nobody has taken it."""
        call = _Call(account, self._push, call_id)
        if self._is_busy():
            self._over.append(call)
            call.hangup(_options(BUSY_HERE))
            return
        self._call = call
        call.answer(_options(RINGING))
        self._push(CallReceived(address_of(str(call.getInfo().remoteUri))))

    def answer(self, status: int) -> None:
        """Answer the call that rings; its end is a CallAnswered or a CallEnded.

        Raises:
            StackError: none rings.
        """
        call = self._current()
        known = call.getInfo()
        # INCOMING: its 180 waits for the media transport, and so would our answer.
        if known.role != pj.PJSIP_ROLE_UAS or known.state not in (
            pj.PJSIP_INV_STATE_INCOMING,
            pj.PJSIP_INV_STATE_EARLY,
        ):
            raise StackError("no call rings")
        self._try(lambda: call.answer(_options(status)) if status < 300 else call.hangup(_options(status)))

    def hang_up(self) -> None:
        """Send BYE, or CANCEL before the answer; its end is a CallEnded.

        Raises:
            StackError: there is no call.
        """
        call = self._current()
        self._try(lambda: call.hangup(_options(0)))

    def count(self) -> MediaCounted:
        """Return the RTP packets so far.

        Raises:
            StackError: there is no call.
        """
        return MediaCounted(*self._current().packets())

    def play(self) -> None:
        """Give the stream its tone."""
        if not self._is_busy():
            return
        self._tone = pj.ToneGenerator()
        self._tone.createToneGenerator()
        tone = pj.ToneDesc()
        tone.freq1, tone.freq2 = TONE_HZ
        tone.on_msec, tone.off_msec = TONE_ON_MS, TONE_OFF_MS
        tones = pj.ToneDescVector()
        tones.append(tone)
        self._tone.play(tones, True)
        self._try(lambda: self._tone.startTransmit(self._current().getAudioMedia(-1)))

    def forget(self) -> None:
        """Let go of everything before pjsua2 ends: a call or a port that outlives it is an abort."""
        self._call = self._tone = None
        self._over.clear()
        gc.collect()

    def _is_busy(self) -> bool:
        return self._call is not None and not self._call.over

    def _current(self) -> "_Call":
        if self._call is None or self._call.over:
            raise StackError("there is no call")
        return self._call

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except pj.Error as exc:
            raise StackError(f"the call refuses: {exc.reason}") from exc


class _Call(pj.Call):  # type: ignore[misc]  # pjsua2 has no types
    """Turns callbacks into events."""

    def __init__(self, account: Any, push: Callable[[CallEvent], None], call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.over = False
        self._push = push
        self._counted = (0, 0)

    def packets(self) -> tuple[int, int]:
        """Return RTP packets sent and received: none before there is a stream, the last count after it."""
        with contextlib.suppress(pj.Error):
            rtcp = self.getStreamStat(0).rtcp
            self._counted = int(rtcp.txStat.pkt), int(rtcp.rxStat.pkt)
        return self._counted

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name and argument
        try:
            self._note(self.getInfo())
        except Exception as exc:  # noqa: BLE001 - one of the boundaries: an exception here is an abort
            self.over = True
            self._push(CallEnded(0, f"the call cannot be read: {type(exc).__name__}", 0, 0))

    def _note(self, known: Any) -> None:
        if known.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._push(CallAnswered(OK, str(known.lastReason)))
        elif known.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            sent, received = self.packets()
            self.over = True
            self._push(CallEnded(int(known.lastStatusCode), str(known.lastReason), sent, received))

    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        with contextlib.suppress(Exception):  # one of the boundaries: the last count is lost, no more
            self.packets()

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name and argument
        self._push(MediaStarted())


def _options(status: int) -> Any:
    options = pj.CallOpParam(True)  # True: the default settings, one audio stream
    options.statusCode = status
    options.opt.videoCount = 0
    return options


def choose_codecs(endpoint: Any) -> None:
    """Leave only ``CODECS`` switched on."""
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 128 if codec.codecId in CODECS else 0)
