"""Fuzz everything once: both engines side by side, target after target, then the property tests (``make fuzz``).

    python -m tests.fuzz.campaign --for 600

One process an engine, so that two processors are busy.  Each line says of which engine and target it is.  A failure
stops nothing else; the end says how each ended and, of a failure, what shows it again.  A process that has not ended
``GRACE_S`` after its time is killed and failed.
"""

import argparse
import asyncio
import contextlib
import re
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

ENGINES: Final = ("atheris", "hypothesis")
TARGETS: Final = ("wire", "peer", "mapping", "names", "xml")
PROPERTIES: Final = 1.5
"""What the property tests take, in times of what a target takes: both stores at once, then four quarters two by two."""
GRACE_S: Final = 300.0
TOLD_EVERY_S: Final = 30.0
ENDING_S: Final = 10.0

_PROGRESS: Final = re.compile(r"#\d+\t|\w+: \d+ runs in .*yet$")
_NOISE: Final = re.compile(r'INFO: Instrumenting|WARNING: Failed to find function|#{6}|"|$')
_WRITTEN: Final = re.compile(r"Test unit written to (.+)$")
_LINE_OCTETS_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """One process: its name, its command, and the seconds after which it is killed."""

    engine: str
    target: str
    command: tuple[str, ...]
    limit_s: float


@dataclass(slots=True)
class Ending:
    """How a step ended: its exit status (None: killed, for it did not end), and the inputs it says it failed on."""

    step: Step
    status: int | None = None
    took_s: float = 0.0
    inputs: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return how it ended and, of a failure, the command that shows it again."""
        if self.status == 0:
            return f"ended well in {self.took_s:.0f} s"
        why = "did not end" if self.status is None else f"exit status {self.status}"
        plain = "MC_HOT_PATH=plain " if self.step.engine == "atheris" else ""
        command = f"{plain}{sys.executable} -m tests.fuzz.run again {self.step.target}"
        again = "".join(f"; again: {command} {shlex.quote(file)}" for file in self.inputs)
        return f"FAILED in {self.took_s:.0f} s, {why}{again}"


def steps_of(engine: str, for_s: int) -> list[Step]:
    """Return what one engine does, target after target."""
    run = (sys.executable, "-m", "tests.fuzz.run", engine)
    return [Step(engine, target, (*run, target, "--for", str(for_s)), for_s + GRACE_S) for target in TARGETS]


def property_tests(for_s: int) -> Step:
    """Return the run of the property tests, both databases at once."""
    one_s = f"{for_s + GRACE_S / 2:.0f}"
    pytest = (sys.executable, "-m", "pytest", "-v", "-n", "2", "--timeout", one_s, "--durations", "0")
    command = (*pytest, "-m", "slow", "--fuzz-s", str(for_s), "tests/fuzz")
    return Step("pytest", "properties", command, PROPERTIES * for_s + GRACE_S)


async def run_side_by_side(*lanes: Sequence[Step]) -> list[Ending]:
    """Run lanes at once, the steps of each one after the other; whatever happens, no process is left."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run_lane(lane)) for lane in lanes]
    return [ending for task in tasks for ending in task.result()]


async def _run_lane(lane: Sequence[Step]) -> list[Ending]:
    return [await _run(step) for step in lane]


async def _run(step: Step) -> Ending:
    ending, began = Ending(step), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *step.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LINE_OCTETS_MAX,
    )
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(step.limit_s):
                await _tell(step, process, ending)
                ending.status = await process.wait()
    finally:
        await _end(process)
        ending.took_s = time.monotonic() - began
    _say(ending.step, ending.told())
    return ending


async def _tell(step: Step, process: asyncio.subprocess.Process, ending: Ending) -> None:
    """Pass on what a process says; of what it says all the time the latest, now and then."""
    assert process.stdout is not None
    latest, began = "", time.monotonic()

    async def now_and_then() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            _say(step, f"{time.monotonic() - began:.0f} s: {latest or 'goes on'}")

    teller = asyncio.create_task(now_and_then())
    try:
        async for octets in process.stdout:
            line = octets.decode(errors="replace").rstrip()
            if _PROGRESS.match(line):
                latest = line
            elif not _NOISE.match(line):
                _say(step, line)
            if written := _WRITTEN.search(line):
                ending.inputs.append(written[1])
    finally:
        teller.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Have a process end that has not, at first by asking it."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(ENDING_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _say(step: Step, line: str) -> None:
    print(f"{step.engine:10} {step.target:10} | {line}", flush=True)


async def _campaign(for_s: int) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    minutes = (len(TARGETS) + PROPERTIES) * for_s / 60
    print(
        f"{len(TARGETS)} targets, {for_s} s each, with both engines; then the property tests: {minutes:.1f} min",
        flush=True,
    )
    endings = await run_side_by_side(*(steps_of(engine, for_s) for engine in ENGINES))
    endings += await run_side_by_side([property_tests(for_s)])
    print("\nhow each ended:")
    for ending in endings:
        _say(ending.step, ending.told())
    return int(any(ending.status != 0 for ending in endings))


def main() -> None:
    """Run the command; exit 0 when nothing was found, 1 when something was, 130 when ended from outside."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--for", dest="for_s", type=int, default=600, help="seconds for each target")
    try:
        sys.exit(asyncio.run(_campaign(parser.parse_args().for_s)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("ended before its time; nothing runs on", flush=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
