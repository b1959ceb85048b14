"""A program on a host: ready by its line only, commanded, seen when it ends, ended with its children."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lab.render.files import Files
from lab.render.program import Program
from lab.run_directory import RunDirectory
from lab.supervisor.process import HostProcess, NotReady, ProgramFailure

READY = 'print(\'{"event":"ready","listen":["127.0.0.1:1"]}\', flush=True)\n'
WAIT = "import time\ntime.sleep(60)\n"
UE = (
    "import json, sys\n" + READY + "for line in sys.stdin:\n"
    "    command = json.loads(line)\n"
    "    print(json.dumps({'event': 'message.received', 'text': command['text']}), flush=True)\n"
    "    print(json.dumps({'event': 'done', 'id': command['id'], 'ok': True}), flush=True)\n"
)


class ThisMachine:
    """A runtime whose every host is this machine."""

    name = "this machine"
    tools: tuple[str, ...] = ()
    brings_programs = False

    async def create(self) -> None: ...
    async def remove(self) -> None: ...
    async def move(self, ue: str, system: str) -> None: ...
    async def attach(self, ue: str, system: str) -> None: ...
    async def cut(self, system: str) -> None: ...
    async def mend(self, system: str) -> None: ...

    async def processes(self) -> list[int]:
        return []

    def signal(self, host: str, pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)

    def command(self, host: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        return ["env", *(f"{key}={value}" for key, value in environment.items()), *argv]


class Watched:
    """A process and who ended."""

    def __init__(self, folder: Path, source: str, **values: object) -> None:
        self.files = Files(RunDirectory(folder), "ab12")
        self.files.run.make()
        self.ended: list[str] = []
        program = Program("ue1", (sys.executable, "-S", "-c", source), **values)  # type: ignore[arg-type]
        self.crashed: list[int | None] = []
        self.process = HostProcess(
            program,
            ThisMachine(),
            self.files,
            lambda one: self.ended.append(one.host),
            lambda one: self.crashed.append(one.exit_status),
        )


async def test_a_program_is_ready_when_it_says_so(tmp_path: Path) -> None:
    watched = Watched(tmp_path, READY + WAIT)
    await watched.process.start(60)
    assert (watched.process.state, watched.process.listen) == ("ready", ["127.0.0.1:1"])
    await watched.process.stop()
    assert watched.process.state == "stopped"
    assert watched.ended == []


async def test_kamailio_says_so_in_its_log(tmp_path: Path) -> None:
    said = 'NOTICE: {1 1 x} <script>: {"event":"ready","listen":["10.77.1.10:5060"]}'
    source = f"import sys\nprint({said!r}, file=sys.stderr)\n"
    watched = Watched(tmp_path, source + WAIT, ready="log")
    await watched.process.start(60)
    assert watched.process.listen == ["10.77.1.10:5060"]
    await watched.process.stop()


CRASH = (
    "import os, pathlib, sys\n"
    "seen = pathlib.Path({seen!r})\n"
    "seen.write_text(seen.read_text() + 'x' if seen.exists() else 'x')\n"
    "if len(seen.read_text()) <= {crashes}:\n"
    "    print(' 0(7) ALERT: <core> handle_sigs(): child process 9 exited by a signal 11', file=sys.stderr)\n"
    "    sys.exit(1)\n"
    'print(\'{{"event":"ready"}}\', file=sys.stderr, flush=True)\n'
)


async def test_kamailio_that_crashes_in_its_start_is_started_once_more(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    watched = Watched(tmp_path, CRASH.format(seen=str(seen), crashes=1) + WAIT, ready="log")
    await watched.process.start(60)
    assert (watched.process.state, watched.crashed, watched.ended) == ("ready", [1], [])
    await watched.process.stop()
    assert seen.read_text() == "xx"


async def test_kamailio_that_crashes_twice_is_not_started_again(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    watched = Watched(tmp_path, CRASH.format(seen=str(seen), crashes=9), ready="log")
    with pytest.raises(ProgramFailure, match="ended with 1 before it was ready"):
        await watched.process.start(60)
    await watched.process.stop()
    assert (seen.read_text(), watched.crashed, watched.ended) == ("xx", [1], ["ue1"])


async def test_what_is_not_kamailio_or_ends_without_a_signal_is_not_started_again(tmp_path: Path) -> None:
    for folder, ready, source in (
        ("own", "stdout", CRASH.format(seen=str(tmp_path / "own.seen"), crashes=9)),
        ("log", "log", "raise SystemExit(1)"),
    ):
        (tmp_path / folder).mkdir()
        watched = Watched(tmp_path / folder, source, ready=ready)
        with pytest.raises(ProgramFailure, match="ended with 1 before it was ready"):
            await watched.process.start(60)
        await watched.process.stop()
        assert (watched.crashed, watched.ended) == ([], ["ue1"])


async def test_a_restart_does_not_take_the_old_line_for_ready(tmp_path: Path) -> None:
    watched = Watched(tmp_path, WAIT, ready="log")
    watched.files.run.log("ue1").write_text('{"event":"ready"}\n')
    with pytest.raises(NotReady, match=r"ue1: not ready after 0\.2 s"):
        await watched.process.start(0.2)
    await watched.process.kill()


async def test_a_program_that_ends_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "import sys\nprint('error: ue.toml: odd', file=sys.stderr)\nsys.exit(2)\n")
    with pytest.raises(ProgramFailure, match=r"(?s)ended with 2 before it was ready.*error: ue\.toml: odd"):
        await watched.process.start(60)


async def test_what_must_run_before_has_to_end_well(tmp_path: Path) -> None:
    before = ((sys.executable, "-S", "-c", "raise SystemExit(3)"),)
    watched = Watched(tmp_path, READY)
    with pytest.raises(ProgramFailure, match="ended with 3"):
        await watched.process.run_before(before[0], 60)


async def test_a_command_gets_its_answer_and_events_are_kept(tmp_path: Path) -> None:
    watched = Watched(tmp_path, UE, commands=True)
    await watched.process.start(60)
    assert (await watched.process.command({"command": "message", "text": "hi"}, 60))["ok"]
    event = await watched.process.event(lambda one: one["event"] == "message.received", 0, 60)
    assert event["text"] == "hi"
    assert len(watched.files.run.events("ue1").read_text().splitlines()) == 3
    await watched.process.stop()


async def test_an_event_that_does_not_come_has_a_deadline(tmp_path: Path) -> None:
    watched = Watched(tmp_path, UE, commands=True)
    await watched.process.start(60)
    with pytest.raises(ProgramFailure, match=r"did not come in 0\.05 s"):
        await watched.process.event(lambda _: True, 0, 0.05)
    await watched.process.stop()


async def test_an_unexpected_end_is_told_and_fails_what_waits(tmp_path: Path) -> None:
    watched = Watched(tmp_path, READY + "input()\nraise SystemExit(7)\n", commands=True)
    await watched.process.start(60)
    with pytest.raises(ProgramFailure, match="ended with 7"):
        await watched.process.command({"command": "status"}, 60)
    assert watched.process.state == "ended (7)"
    with pytest.raises(ProgramFailure, match="is not running"):
        await watched.process.command({"command": "status"}, 60)
    assert watched.ended == ["ue1"]


async def test_a_paused_program_can_be_stopped(tmp_path: Path) -> None:
    watched = Watched(tmp_path, READY + WAIT)
    await watched.process.start(60)
    watched.process.signal(signal.SIGSTOP)
    await asyncio.wait_for(watched.process.stop(), 3)


async def test_a_program_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + WAIT)
    await watched.process.start(60)
    await watched.process.stop(patience_s=0.1)
    assert watched.process.exit_status == -signal.SIGKILL
