"""The other end of a supervisor: started, listened to, asked over its Unix socket, found when it is dead."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lab.render.files import PID_NAME, SOCKETS
from lab.supervisor.control import SOCKET_NAME, STAY

CONNECT_S: Final = 2.0
ANSWER_S: Final = 40.0
DOWN_S: Final = 20.0


class NoSupervisor(RuntimeError):
    """There is no supervisor of that lab, or it does not answer; the text is one line."""


class Supervisor:
    """A supervisor that we started and listen to."""

    def __init__(self, options: Sequence[str], log: Path) -> None:
        """Start it: it takes the lab down when we are gone, however that comes, unless it was told to ``stay``."""
        self.is_to_stay = self.was_killed = False
        self.exit_status = 0
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lab.supervisor", *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what it tells, until it has no more to tell."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def let_go(self) -> None:
        """Leave it to itself: it stays when we are gone."""
        if self._process.stdout is not None:
            self._process.stdout.close()

    def stay(self) -> None:
        """Have it stay when we are gone."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(STAY)
            self._process.stdin.close()
        self.is_to_stay = True
        self.let_go()

    def end(self) -> None:
        """Take the lab down, however far it has come, and wait for it; kill one that hangs."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self.exit_status = self._process.wait(DOWN_S)
        except subprocess.TimeoutExpired:
            self.was_killed = True
            self._process.kill()
            self.exit_status = self._process.wait()


def ask(lab_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a supervisor's answer to one request.

    Raises:
        NoSupervisor: nobody listens there, or no answer comes.
    """
    path = SOCKETS / lab_id / SOCKET_NAME
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(CONNECT_S)
            link.connect(str(path))
            link.settimeout(ANSWER_S)
            link.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(link.makefile("rb").readline())
    except (OSError, ValueError) as exc:
        raise NoSupervisor(f"lab {lab_id}: its supervisor does not answer ({exc})") from exc
    return dict(answer)


def supervised_labs() -> list[str]:
    """Return the labs that have a folder of sockets here, dead or alive."""
    return sorted(folder.name for folder in SOCKETS.iterdir()) if SOCKETS.is_dir() else []


def supervisor_pid(lab_id: str) -> int | None:
    """Return the process id of a lab's supervisor while it lives, and is no other process that came after it."""
    try:
        pid = int((SOCKETS / lab_id / PID_NAME).read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if b"lab.supervisor" in words and lab_id.encode() in words else None


def tell_to_end(pid: int) -> None:
    """Have a supervisor take its lab down that serves no socket: it comes up just now, or hangs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def wait_until_gone(pid: int, patience_s: float = DOWN_S) -> bool:
    """Tell whether a process ended in time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def end_for_good(pid: int) -> None:
    """Kill a supervisor that does not go."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
