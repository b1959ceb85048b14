"""One measurement: responder, relay and load generator started, a window timed, the relay's CPU read, all ended.

CPU is utime + stime of the relay's process tree in /proc (ticks of 10 ms) over the window.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.relay_programs import HSS_PORT, LISTEN_PORT, Credentials, Program, Relay

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
START_S: Final = 30.0
TOOLS_CORE: Final = "0"
RELAY_CORE: Final = "1"


class MeasurementFailed(Exception):
    """A program did not start, or answers were lost or wrong."""


@dataclass(frozen=True)
class Level:
    """How the load asks: so many outstanding over so many connections, or at a rate whatever comes back."""

    name: str
    outstanding: int = 64
    connections: int = 1
    rate: int = 0


@dataclass(frozen=True)
class Sample:
    """What one window gave.

    Attributes:
        late_us: median lateness of the load itself, where a rate is given; it is part of the latencies.
    """

    per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float
    late_us: float


class Bench:
    """Tools and folders of a whole run."""

    def __init__(self, diabench: Path, logs: Path, templates: Path, users: int, credentials: Credentials) -> None:
        self._diabench: Final = diabench
        self._logs: Final = logs
        self._templates: Final = templates
        self._users: Final = users
        self._credentials: Final = credentials

    @contextlib.contextmanager
    def running(self, relay: Relay) -> Iterator[list[int]]:
        """Have the responder and the relay run as long as the block lasts; yields the relay's processes."""
        answers = self._templates / ("primary" if relay.maps else "partner")
        command = [str(self._diabench), "resp", "-p", str(HSS_PORT), "-q", "-T", str(answers)]
        if relay.secured:
            files = self._credentials
            command += ["-C", str(files.hss), "-K", str(files.hss_key), "-A", str(files.authority)]
        responder = Program(command)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._process(responder, "responder", TOOLS_CORE))
            _wait_for_port(HSS_PORT)
            started = [
                stack.enter_context(self._process(program, f"{relay.name}-{number}", RELAY_CORE))
                for number, program in enumerate(relay.programs)
            ]
            _wait_for_port(LISTEN_PORT)
            self._wait_until_it_relays(relay)
            yield [process.pid for process in started]

    def measure(self, relay: Relay, processes: list[int], level: Level, window_s: float, warm_s: float) -> Sample:
        """Load the running relay and return what one window gave.

        Raises:
            MeasurementFailed: an answer was lost, wrong, an error, or not of the user asked for.
        """
        load = self._load(level, window_s, warm_s)
        assert load.stderr is not None
        told = []
        while (line := load.stderr.readline()) and line.strip() != "READY":
            told.append(line.strip())
        time.sleep(warm_s)
        before, began = _cpu_s(processes), time.monotonic()
        time.sleep(window_s * 0.95)
        spent, passed = _cpu_s(processes) - before, time.monotonic() - began
        out, err = load.communicate(timeout=60)
        if load.returncode or not out:
            raise MeasurementFailed(f"{relay.name}, {level.name}: load failed: {' '.join(told)} {err.strip()}")
        result = json.loads(out)
        for count in ("err", "mismatch", "id_bad"):
            if result[count]:
                raise MeasurementFailed(f"{relay.name}, {level.name}: {count} {result[count]}, {result['last_err']}")
        if result["ok"] == 0:
            raise MeasurementFailed(f"{relay.name}, {level.name}: no answer")
        cpu_us = spent / passed / result["rps"] * 1e6
        return Sample(result["rps"], cpu_us, result["p50_us"], result["p99_us"], result["late_p50_us"])

    def _load(self, level: Level, window_s: float, warm_s: float) -> subprocess.Popen[str]:
        options = {"-p": LISTEN_PORT, "-n": level.outstanding, "-c": level.connections, "-r": level.rate,
                   "-d": window_s, "-w": warm_s, "-u": self._users, "-T": self._templates / "partner"}  # fmt: skip
        command = ["taskset", "-c", TOOLS_CORE, str(self._diabench), "load", "-V", "-m", "mar"]
        command += [str(word) for option in options.items() for word in option]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _wait_until_it_relays(self, relay: Relay) -> None:
        """Ask until one whole exchange succeeds: only then is the relay connected to the responder."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            load = self._load(Level("start", outstanding=1), 0.1, 0.0)
            out, _ = load.communicate(timeout=30)
            if load.returncode == 0 and out:
                result = json.loads(out)
                if result["ok"] and not result["err"]:
                    return
            time.sleep(0.2)
        raise MeasurementFailed(f"{relay.name} relayed nothing within {START_S} s; see {self._logs}")

    @contextlib.contextmanager
    def _process(self, program: Program, name: str, core: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self._logs / f"{name}.log".replace(" ", "-")).open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", core, *program.command],
                cwd=program.folder,
                env={**os.environ, **program.environment},
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise MeasurementFailed(f"port {port} never opened")


def _cpu_s(processes: list[int]) -> float:
    return sum(_ticks(process) for root in processes for process in _tree(root)) * TICK_S


def _tree(root: int) -> list[int]:
    found, todo = [], [root]
    while todo:
        process = todo.pop()
        found.append(process)
        for file in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += map(int, file.read_text().split())
    return found


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing is left behind, whatever ends the bench
