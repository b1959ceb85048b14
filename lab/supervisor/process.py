"""One program on one host: started, watched, ready, commanded, ended.

Ready is the line ``{"event":"ready"...}`` on its standard output, or in Kamailio's log, and nothing else; a program
that accepts connections before it is ready says ``{"event":"listening"...}``.  Standard error goes straight into the
log file, so that it survives the supervisor; standard output comes here.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lab.render.files import Files
from lab.render.program import Program
from lab.run_directory import last_lines
from lab.runtime.marks import MARK
from lab.runtime.runtime import Runtime

READY: Final = '"event":"ready"'
CRASH: Final = " exited by a signal "
"""What Kamailio logs when one of its processes has died; it then ends itself."""
LOG_LOOK_S: Final = 0.02
STOP_S: Final = 3.0
LINE_OCTETS_MAX: Final = 1 << 20
SHOWN_LINES: Final = 8
NO_PLUGINS: Final[Mapping[str, str]] = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""None of our programs has plugins for pydantic; to look for them takes each some 10 ms of a start."""


class ProgramFailure(RuntimeError):
    """A program did not start, ended, or did not answer; the text may have several lines: the end of its log."""


class NotReady(ProgramFailure):
    """A program runs, but was not ready in time."""


class CrashedAtStart(ProgramFailure):
    """Kamailio ended before it was ready because one of its processes died of a signal."""


class HostProcess:
    """The program of one host."""

    def __init__(
        self,
        program: Program,
        runtime: Runtime,
        files: Files,
        ended: Callable[["HostProcess"], None],
        crashed: Callable[["HostProcess"], None],
    ) -> None:
        """Take a program; ``ended`` hears of its end, and ``crashed`` of a start that is tried once more."""
        self.program = program
        self.host = program.host
        self.events: list[dict[str, Any]] = []
        self.listen: list[str] = []
        self.is_ready = False
        self.listening = asyncio.Event()
        self._runtime = runtime
        self._files = files
        self._ended = ended
        self._crashed = crashed
        self._may_crash = False
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_command = 0
        self._stopping = False
        self._log_offset = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def exit_status(self) -> int | None:
        """How it ended, None before."""
        return self._process.returncode if self._process else None

    @property
    def state(self) -> str:
        """One word for a status table."""
        if self._process is None:
            return "not started"
        if self._process.returncode is not None:
            return "stopped" if self._stopping else f"ended ({self._process.returncode})"
        return "ready" if self.is_ready else "starting"

    async def start(self, deadline_s: float) -> None:
        """Start it and wait until it is ready; once more where Kamailio crashes meanwhile.

        Kamailio 5.6 was seen to, once (signal 11 in cdp).

        Raises:
            ProgramFailure: it ended, or was not ready in time.
        """
        deadline = asyncio.get_running_loop().time() + deadline_s
        try:
            async with asyncio.timeout_at(deadline):
                self._may_crash = self.program.ready == "log"
                try:
                    await self._spawn_until_ready()
                except CrashedAtStart:
                    await self._gather()
                    self._crashed(self)
                    self._may_crash = False
                    await self._spawn_until_ready()
        except TimeoutError:
            raise NotReady(self._with_log(f"{self.host}: not ready after {deadline_s:g} s")) from None
        finally:
            self._may_crash = False

    async def run_before(self, argv: tuple[str, ...], deadline_s: float) -> None:
        """Run a command that must have ended well before the program starts.

        Raises:
            ProgramFailure: it did not end well, or not in time.
        """
        log = self._files.run.log(self.host)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *self._runtime.command(self.host, argv, {MARK: self._files.lab_id, **NO_PLUGINS}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(deadline_s):
                status = await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise self._failure(f"{self.host}: {' '.join(argv[-4:])} did not end in time") from None
        if status != 0:
            raise self._failure(f"{self.host}: {' '.join(argv[-4:])} ended with {status}")

    async def command(self, values: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """Send one command on standard input and return its answer.

        Raises:
            ProgramFailure: the program has ended, or does not answer in time.
        """
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise self._failure(f"{self.host}: is not running")
        self._last_command += 1
        number = self._last_command
        self._answers[number] = asyncio.get_running_loop().create_future()
        process.stdin.write(json.dumps({"id": number, **values}).encode() + b"\n")
        try:
            async with asyncio.timeout(deadline_s):
                return await self._answers[number]
        except TimeoutError:
            raise self._failure(f"{self.host}: no answer to {values.get('command')} in {deadline_s:g} s") from None
        finally:
            del self._answers[number]

    async def event(self, wanted: Callable[[dict[str, Any]], bool], since: int, deadline_s: float) -> dict[str, Any]:
        """Return the first event from number ``since`` on that is wanted, waiting for it.

        Raises:
            ProgramFailure: none came in time.
        """
        try:
            async with asyncio.timeout(deadline_s), self._changed:
                while True:
                    for event in self.events[since:]:
                        if wanted(event):
                            return event
                    since = len(self.events)
                    await self._changed.wait()
        except TimeoutError:
            raise self._failure(f"{self.host}: the awaited event did not come in {deadline_s:g} s") from None

    async def stop(self, patience_s: float = STOP_S) -> None:
        """End it: SIGTERM, and SIGKILL where that does not help."""
        self._stopping = True
        if self.pid is not None and self._process is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(patience_s):
                    await self._process.wait()
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await self._process.wait()
        await self._gather()

    async def kill(self) -> None:
        """End it at once, with its children."""
        self._stopping = True
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()
        await self._gather()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and its children."""
        if self.pid is not None:
            self._runtime.signal(self.host, self.pid, number)

    async def _spawn_until_ready(self) -> None:
        log = self._files.run.log(self.host)
        self._log_offset = log.stat().st_size if log.exists() else 0
        await self._spawn(log)
        await self._until_ready(log)

    async def _spawn(self, log: Path) -> None:
        environment = {"SSLKEYLOGFILE": str(self._files.run.keys(self.host)), MARK: self._files.lab_id}
        environment.update(NO_PLUGINS)
        environment.update(self.program.environment)
        argv = self._runtime.command(self.host, self.program.argv, environment)
        stdin = asyncio.subprocess.PIPE if self.program.commands else asyncio.subprocess.DEVNULL
        self._stopping = self.is_ready = False
        with log.open("ab") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=LINE_OCTETS_MAX,
            )
        self._tasks = [asyncio.create_task(self._read(self._process))]

    async def _until_ready(self, log: Path) -> None:
        while not self.is_ready:
            if self._process is not None and self._process.returncode is not None:
                reason = f"{self.host}: ended with {self._process.returncode} before it was ready"
                raise CrashedAtStart(self._with_log(reason)) if self._has_crashed() else self._failure(reason)
            if self.program.ready == "log":
                await asyncio.sleep(LOG_LOOK_S)
                self._look_into(log)
            else:
                async with self._changed:
                    await self._changed.wait_for(lambda: self.is_ready or self.pid is None)

    def _look_into(self, log: Path) -> None:
        with log.open("rb") as stream:
            stream.seek(self._log_offset)
            for line in stream.read().decode(errors="replace").splitlines():
                if self.program.mark in line if self.program.mark else READY in line.replace(" ", ""):
                    self._ready(_json_in(line))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with self._files.run.events(self.host).open("ab", buffering=0) as file:
            async for line in process.stdout:
                file.write(line)
                async with self._changed:
                    self._take(_json_in(line.decode(errors="replace")))
                    self._changed.notify_all()
        await process.wait()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._failure(f"{self.host}: ended with {process.returncode}"))
        async with self._changed:
            self._changed.notify_all()
        if not self._stopping and not self._has_crashed():
            self._ended(self)

    def _has_crashed(self) -> bool:
        """Say whether it ended in a way for which it is started once more."""
        if not self._may_crash or self.is_ready:
            return False
        with self._files.run.log(self.host).open("rb") as stream:
            stream.seek(self._log_offset)
            return CRASH.encode() in stream.read()

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("event") == "ready":
            self._ready(event)
        elif event.get("event") == "listening":
            self.listening.set()
        elif event.get("event") == "done" and event.get("id") in self._answers:
            answer = self._answers[event["id"]]
            if not answer.done():
                answer.set_result(event)
        elif event:
            self.events.append(event)

    def _ready(self, event: dict[str, Any]) -> None:
        self.is_ready = True
        self.listening.set()
        self.listen = [str(place) for place in event.get("listen", [])]

    async def _gather(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def last_log_lines(self, count: int = SHOWN_LINES) -> list[str]:
        """Return the end of its log, each line with the host before it."""
        return [f"  {self.host}| {line[:300]}" for line in last_lines(self._files.run.log(self.host), count)]

    def _with_log(self, reason: str) -> str:
        return "\n".join([reason, *self.last_log_lines()])

    def _failure(self, reason: str) -> ProgramFailure:
        return ProgramFailure(self._with_log(reason))


def _json_in(line: str) -> dict[str, Any]:
    start = line.find('{"')  # Kamailio writes {1 1 REGISTER 123} before its text
    try:
        value = json.loads(line[start : line.rfind("}") + 1]) if start >= 0 else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
