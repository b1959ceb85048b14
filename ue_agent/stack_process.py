"""A SIP stack in a process of its own, seen from the control process: start, ask, stop (asyncio).

Spawned, never forked after pjsua2 has run; in a session of its own, so that an interrupt at the terminal reaches
only us.  Requests go one at a time; what comes unasked (a refresh, a MESSAGE) goes to ``on_event``.
It decides nothing about SIP or AKA.
"""

import asyncio
import contextlib
import dataclasses
import json
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from ue_agent.challenge import Answer, ChallengeResponder, DigestQuestion
from ue_agent.errors import CallError, MessageError, RegistrationError, StackError
from ue_agent.stack_settings import StackSettings

LINE_OCTETS_MAX: Final = 1 << 20
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 3.0
CHILD: Final = "ue_agent.stack_child"

CALL_OUTCOMES: Final = ("call-answered", "call-ended")

EventHandler = Callable[[dict[str, Any]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Registration:
    """What a 200 to REGISTER said; ``expires_s`` 0 after a de-registration."""

    status: int
    reason: str
    expires_s: int
    public_user_identities: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Media:
    """RTP packets of a call."""

    rtp_sent: int
    rtp_received: int


class NoEnd(StackError):
    """What was asked for has had no end in time."""


class StackProcess:
    """One running stack; make it with ``start``."""

    def __init__(self, settings: StackSettings, responder: ChallengeResponder, on_event: EventHandler) -> None:
        """Prepare; ``on_event`` gets every event of the stack, and ``{"event": "ended"}`` when it ends unasked."""
        self.settings = settings
        self.port = 0
        self._responder = responder
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._isim: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: tuple[tuple[str, ...], asyncio.Future[dict[str, Any]]] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the process and wait until its transport is bound.

        Raises:
            StackError: it cannot start; it is stopped.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                CHILD,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                limit=LINE_OCTETS_MAX,
            )
        reader, self._isim = await asyncio.open_connection(sock=ours, limit=LINE_OCTETS_MAX)
        self._tasks = [asyncio.create_task(self._serve_isim(reader)), asyncio.create_task(self._read_events())]
        try:
            ready = await self._ask(("ready",), self.settings.to_json(), START_TIMEOUT_S)
        except BaseException:
            await self.stop()
            raise
        self.port = int(ready["port"])

    async def register(self, timeout_s: float, body: tuple[str, str] | None = None) -> Registration:
        """Send REGISTER, the first or a refresh, and wait for its end.

        Args:
            timeout_s: how long to wait.
            body: content type and text that this and every further REGISTER carries; none: as before.

        Raises:
            RegistrationError: it was refused, or nobody answered.
            StackError: it cannot be sent, or the stack ended.
        """
        registration = await self._registration({"command": "register", **_members(body)}, timeout_s)
        if not registration.expires_s:
            raise RegistrationError(registration.status, registration.reason)
        return registration

    async def deregister(self, timeout_s: float) -> Registration:
        """Send REGISTER with Expires 0 and wait for its end.

        Raises:
            RegistrationError: it was refused, or nobody answered.
            StackError: it cannot be sent, or the stack ended.
        """
        registration = await self._registration({"command": "deregister"}, timeout_s)
        if not 200 <= registration.status <= 299:
            raise RegistrationError(registration.status, registration.reason)
        return registration

    async def send_message(self, to: str, text: str, timeout_s: float) -> tuple[int, str]:
        """Send a MESSAGE and return the status and reason of its 2xx.

        Raises:
            MessageError: it was refused, or nobody answered.
            StackError: it cannot be sent, or the stack ended.
        """
        command = {"command": "message", "to": to, "text": text}
        event = await self._ask(("message-sent",), json.dumps(command), timeout_s)
        if not 200 <= event["status"] <= 299:
            raise MessageError(event["status"], event["reason"])
        return event["status"], event["reason"]

    async def call(self, to: str, ring_s: float, timeout_s: float) -> None:
        """Call ``to`` and return when it has answered; who has not after ``ring_s`` is called off.

        Raises:
            CallError: the call did not come to be.
            StackError: it cannot be made, or the stack ended.
        """
        try:
            event = await self._ask(CALL_OUTCOMES, json.dumps({"command": "call", "to": to}), ring_s)
        except NoEnd:
            event = await self._ask(("call-ended",), json.dumps({"command": "hang-up"}), timeout_s)
        if event["event"] == "call-ended":
            raise CallError(event["status"], event["reason"])

    async def answer(self, status: int, timeout_s: float) -> None:
        """Answer the call that rings; return when it is there, or ended as answered.

        Raises:
            CallError: the caller was gone.
            StackError: none rings, or the stack ended.
        """
        event = await self._ask(CALL_OUTCOMES, json.dumps({"command": "answer", "status": status}), timeout_s)
        if event["event"] == "call-ended" and event["status"] != status:
            raise CallError(event["status"], event["reason"])

    async def hang_up(self, timeout_s: float) -> Media:
        """End the call and return its RTP packets.

        Raises:
            StackError: there is none, or the stack ended.
        """
        event = await self._ask(("call-ended",), json.dumps({"command": "hang-up"}), timeout_s)
        return Media(event["rtp_sent"], event["rtp_received"])

    async def media(self, timeout_s: float) -> Media:
        """Return the RTP packets of the call so far.

        Raises:
            StackError: there is none, or the stack ended.
        """
        event = await self._ask(("media",), json.dumps({"command": "media"}), timeout_s)
        return Media(event["rtp_sent"], event["rtp_received"])

    async def stop(self) -> None:
        """End the process, without de-registration; it is gone when this returns."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the end of its input ends it, after libDestroy
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._isim is not None:
            self._isim.close()

    async def _registration(self, command: dict[str, str], timeout_s: float) -> Registration:
        event = await self._ask(("registration",), json.dumps(command), timeout_s)
        return Registration(
            event["status"], event["reason"], event["expires_s"], tuple(event["public_user_identities"])
        )

    async def _ask(self, answers: tuple[str, ...], line: str, timeout_s: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        if self._process.returncode is not None or self._stopping:
            raise StackError("the SIP stack has ended")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting = (answers, future)
        try:
            self._process.stdin.write(line.encode() + b"\n")
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError as exc:
            raise NoEnd(f"no end after {timeout_s:g} s") from exc
        finally:
            self._waiting = None

    async def _read_events(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        reason = "the SIP stack has ended"
        while line := await self._process.stdout.readline():
            event = json.loads(line)
            if event["event"] in ("failed", "refused"):
                reason = event["reason"]
                self._settle(None, StackError(reason))
                continue
            self._settle(event, None)
            self._on_event(event)
        self._settle(None, StackError(reason))
        if not self._stopping:
            self._on_event({"event": "ended", "reason": reason})

    def _settle(self, event: dict[str, Any] | None, error: StackError | None) -> None:
        if self._waiting is None or self._waiting[1].done():
            return
        answers, future = self._waiting
        if error is not None:
            future.set_exception(error)
        elif event is not None and event["event"] in answers:
            future.set_result(event)

    async def _serve_isim(self, reader: asyncio.StreamReader) -> None:
        assert self._isim is not None
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self._isim.write(json.dumps(dataclasses.asdict(self._answer(line))).encode() + b"\n")
                await self._isim.drain()

    def _answer(self, line: bytes) -> Answer:
        try:
            question = DigestQuestion(**json.loads(line))
        except (ValueError, TypeError):
            return Answer(refusal="invalid-challenge")
        return self._responder.answer(question)


def _members(body: tuple[str, str] | None) -> dict[str, str]:
    return {"content_type": body[0], "body": body[1]} if body else {}
