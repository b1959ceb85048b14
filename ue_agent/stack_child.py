"""The process around one SIP stack: JSON lines in, JSON events out, the ISIM over a socket.

``python -m ue_agent.stack_child ISIM_FD``: the first line on standard input is the StackSettings, each further one a
command; it ends cleanly on ``stop``, on the end of standard input (so also when its parent dies), and on a failure
that it has reported.  ``stack_process`` is the other end.
"""

import collections
import contextlib
import dataclasses
import json
import os
import select
import socket
import sys
from typing import Any, Final

from ue_agent.challenge import Answer, DigestQuestion
from ue_agent.errors import StackError
from ue_agent.pjsua_call import CallAnswered, CallEnded, CallReceived, MediaCounted, MediaStarted
from ue_agent.pjsua_stack import MessageReceived, MessageSent, RegistrationChanged, Stack, StackEvent
from ue_agent.stack_settings import StackSettings

ISIM_TIMEOUT_S: Final = 5.0
LINE_OCTETS_MAX: Final = 1 << 20


class IsimChannel:
    """Asks the ISIM's owner; one question at a time, on pjsua2's thread."""

    def __init__(self, connection: socket.socket) -> None:
        """Use a connected stream socket."""
        connection.settimeout(ISIM_TIMEOUT_S)
        self._connection = connection
        self._lines = connection.makefile("rb")

    def ask(self, question: DigestQuestion) -> Answer:
        """Return the answer.

        Raises:
            OSError: the owner is gone or silent.
            ValueError: its answer is none.
        """
        self._connection.sendall(json.dumps(dataclasses.asdict(question)).encode() + b"\n")
        line = self._lines.readline(LINE_OCTETS_MAX)
        if not line:
            raise ConnectionError("the ISIM's owner is gone")
        return Answer(**json.loads(line))


class Mailbox:
    """Events from pjsua2's thread to ours: a queue, and a pipe that ``select`` can wait for."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._events: collections.deque[StackEvent] = collections.deque()
        self.fileno, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def push(self, event: StackEvent) -> None:
        """Take an event, on any thread; never blocks."""
        self._events.append(event)
        with contextlib.suppress(BlockingIOError):  # full: the reader is woken already
            os.write(self._write, b"!")

    def take(self) -> list[StackEvent]:
        """Return the events so far, in order."""
        os.read(self.fileno, 4096)
        return [self._events.popleft() for _ in range(len(self._events))]


def run(isim: socket.socket, commands: int) -> int:
    """Serve one stack until it is told to end; return the exit code."""
    reader = _LineReader(commands)
    mailbox = Mailbox()
    first = reader.wait_for_line()
    if first is None:
        return 0
    stack = Stack(StackSettings.from_json(first), IsimChannel(isim).ask, mailbox.push)
    try:
        _emit({"event": "ready", "port": stack.start()})
        _serve(stack, reader, mailbox)
    except StackError as exc:
        _emit({"event": "failed", "reason": str(exc)})
        return 1
    finally:
        stack.stop()
    return 0


def _serve(stack: Stack, reader: "_LineReader", mailbox: Mailbox) -> None:
    while True:
        for line in reader.take():
            command = json.loads(line)
            if command["command"] == "stop":
                return
            _carry_out(stack, command)
        if reader.ended:
            return
        readable, _, _ = select.select([reader.fileno, mailbox.fileno], [], [])
        if mailbox.fileno in readable:
            for event in mailbox.take():
                if isinstance(event, RegistrationChanged) and event.expires_s:
                    stack.settle()
                if isinstance(event, MediaStarted):
                    stack.play()
                    continue
                _emit(event_to_json(event))
        if reader.fileno in readable:
            reader.fill()


def _carry_out(stack: Stack, command: dict[str, Any]) -> None:
    try:
        match command["command"]:
            case "register":
                stack.register(command.get("content_type", ""), command.get("body", ""))
            case "deregister":
                stack.deregister()
            case "message":
                stack.send_message(command["to"], command["text"])
            case "call":
                stack.call(command["to"])
            case "answer":
                stack.answer(command["status"])
            case "hang-up":
                stack.hang_up()
            case "media":
                _emit(event_to_json(stack.count_media()))
    except StackError as exc:
        _emit({"event": "refused", "reason": str(exc)})


def event_to_json(event: StackEvent) -> dict[str, Any]:
    """Return an event as the parent reads it."""
    match event:
        case RegistrationChanged():
            name = "registration"
        case MessageReceived():
            name = "message-received"
        case MessageSent():
            name = "message-sent"
        case CallReceived():
            name = "call-received"
        case CallAnswered():
            name = "call-answered"
        case CallEnded():
            name = "call-ended"
        case MediaCounted():
            name = "media"
        case MediaStarted():
            name = "media-started"
    return {"event": name, **dataclasses.asdict(event)}


class _LineReader:
    """Lines from a descriptor that ``select`` waits for; a buffered file would hide lines from it."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self.ended = False
        self._rest = b""

    def wait_for_line(self) -> bytes | None:
        """Return the first line alone, or None at the end of input."""
        while not self.ended and b"\n" not in self._rest:
            self.fill()
        line, newline, self._rest = self._rest.partition(b"\n")
        return line if newline else None

    def take(self) -> list[bytes]:
        """Return the whole lines that are there; blocks for none."""
        *lines, self._rest = self._rest.split(b"\n")
        return [line for line in lines if line.strip()]

    def fill(self) -> None:
        """Read what is there; blocks when nothing is."""
        octets = os.read(self.fileno, 65536)
        self.ended = not octets
        self._rest += octets


def _emit(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run with the descriptors that the parent gave."""
    with socket.socket(fileno=int(sys.argv[1])) as isim:
        return run(isim, sys.stdin.fileno())


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        sys.exit(main())
