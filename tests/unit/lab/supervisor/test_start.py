"""The order in which programs start: needs first, by their listening; what goes before once; a failure stops it."""

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
from lab.supervisor.process import HostProcess, ProgramFailure
from lab.supervisor.start import start_programs

READY = 'print(\'{"event":"ready"}\', flush=True)\n'
LISTENING = 'print(\'{"event":"listening"}\', flush=True)\n'
WAIT = "import time\ntime.sleep(60)\n"
DEADLINE_S = 20.0


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


class Group:
    """Programs that write their steps into one file, in order."""

    def __init__(self, folder: Path) -> None:
        self.files = Files(RunDirectory(folder), "ab12")
        self.files.run.make()
        self.steps = folder / "steps"
        self.programs: list[Program] = []
        self.processes: dict[str, HostProcess] = {}
        self.ready: list[str] = []

    def python(self, source: str, step: str) -> tuple[str, ...]:
        noted = f"open({str(self.steps)!r}, 'a').write({step + chr(10)!r})\n"
        return (sys.executable, "-S", "-c", noted + source)

    def add(self, host: str, source: str, **values: object) -> None:
        program = Program(host, self.python(source, host), **values)  # type: ignore[arg-type]
        self.programs.append(program)
        self.processes[host] = HostProcess(program, ThisMachine(), self.files, lambda _: None, lambda _: None)

    async def start(self) -> list[str]:
        try:
            await start_programs(
                self.programs, self.processes, lambda process: self.ready.append(process.host), DEADLINE_S
            )
        finally:
            for process in self.processes.values():
                await process.kill()
        return self.steps.read_text().split()


async def test_a_program_starts_when_what_it_needs_listens(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.add("core", READY + WAIT, needs=("proxy",))
    # The proxy is ready only when the core has begun: to wait for readiness would be to wait for ever.
    wait_for_core = f"while 'core' not in open({str(group.steps)!r}).read(): pass\n"
    group.add("proxy", LISTENING + wait_for_core + READY + WAIT)
    assert await group.start() == ["proxy", "core"]
    assert set(group.ready) == {"core", "proxy"}


async def test_a_program_that_says_nothing_earlier_listens_when_it_is_ready(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.add("core", READY + WAIT, needs=("hss",))
    group.add("hss", READY + WAIT)
    assert await group.start() == ["hss", "core"]


async def test_what_two_need_before_them_runs_once(tmp_path: Path) -> None:
    group = Group(tmp_path)
    before = (group.python("", "upgrade"),)
    group.add("mms.mc1", READY + WAIT, before=before)
    group.add("mms.mc2", READY + WAIT, before=before)
    steps = await group.start()
    assert steps[0] == "upgrade"
    assert sorted(steps[1:]) == ["mms.mc1", "mms.mc2"]


async def test_what_runs_before_has_to_end_well(tmp_path: Path) -> None:
    group = Group(tmp_path)
    before = (group.python("raise SystemExit(3)", "upgrade"),)
    group.add("mms.mc1", READY + WAIT, before=before)
    group.add("mms.mc2", READY + WAIT, before=before)
    with pytest.raises(ProgramFailure, match="ended with 3"):
        await group.start()
    assert group.ready == []


async def test_nothing_more_is_started_after_a_failure(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.add("core", READY + WAIT, needs=("proxy",))
    group.add("proxy", "raise SystemExit(2)")
    with pytest.raises(ProgramFailure, match="proxy: ended with 2 before it was ready"):
        await group.start()
    assert group.steps.read_text().split() == ["proxy"]


async def test_nothing_more_is_started_once_the_lab_is_told_to_end(tmp_path: Path) -> None:
    """Ctrl-C as it comes up: what waits for another must not start when that one listens as it goes down."""
    group = Group(tmp_path)
    group.add("core", READY + WAIT, needs=("proxy",))
    group.add("proxy", WAIT)
    group.add("hss", READY + WAIT)
    starting = asyncio.create_task(group.start())
    async with asyncio.timeout(DEADLINE_S):
        await group.processes["hss"].listening.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert group.processes["core"].state == "not started"
    assert asyncio.all_tasks() == {asyncio.current_task()}
