"""One lab, up and down: hosts, capture, programs in the order of what they need, and nothing left behind."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from lab.faults.injector import Faults
from lab.render.files import PID_NAME, SOCKETS, Files
from lab.render.program import Program
from lab.runtime.runtime import Runtime, RuntimeFailure
from lab.supervisor.capture import Dumpcap
from lab.supervisor.process import HostProcess, NotReady, ProgramFailure
from lab.supervisor.start import start_programs
from lab.supervisor.timeline import Timeline
from lab.topology import Topology

READY_S: Final = 45.0
SYSTEMS_AT_ONCE: Final = 3
"""So many systems start within ``READY_S`` on a slow machine; more have as much more time."""
OTHERS_SHOWN_LINES: Final = 3


class UpFailed(RuntimeError):
    """The lab did not come up; the text says why, with the end of the logs concerned."""


class Lab:
    """The lab of one topology in one run directory."""

    def __init__(self, topology: Topology, runtime: Runtime, files: Files, timeline: Timeline) -> None:
        self.topology = topology
        self.files = files
        self.timeline = timeline
        self.runtime = runtime
        self.processes: dict[str, HostProcess] = {}
        self.unexpected: list[str] = []
        self.faults = Faults(self)
        self._capture: Dumpcap | None = None
        self._is_there = False

    async def up(self) -> None:
        """Make the hosts, start the capture and every program; return when all are ready.

        A readiness deadline that passes is tried once more, noted as ``retried``; nothing else is.

        Raises:
            UpFailed: a tool is missing, a name is taken, or programs ended or did not get ready.
        """
        missing = [tool for tool in _tools(self.runtime, self.topology) if shutil.which(tool) is None]
        if missing:
            raise UpFailed(f"{', '.join(missing)} not installed: make set-up")
        try:
            await self._up_once()
        except NotReady as exc:
            self.timeline.note("lab.retried", reason=str(exc))
            await self.down()
            await self._up_again()
        except (ProgramFailure, RuntimeFailure) as exc:
            raise await self._failed(exc) from exc

    async def _up_again(self) -> None:
        try:
            await self._up_once()
        except (ProgramFailure, RuntimeFailure) as exc:
            raise await self._failed(exc) from exc

    async def _failed(self, exc: ProgramFailure | RuntimeFailure) -> UpFailed:
        others = [process for process in self.processes.values() if f"{process.host}:" not in str(exc)]
        logs = [line for process in others for line in process.last_log_lines(OTHERS_SHOWN_LINES)]
        await self.down()
        return UpFailed("\n".join([str(exc), *logs]))

    async def _up_once(self) -> None:
        self._is_there = True
        self.files.sockets.mkdir(parents=True, exist_ok=True)
        self.files.socket(PID_NAME).write_text(f"{os.getpid()}\n")  # what comes up can be told to end, too
        creating = asyncio.create_task(self.runtime.create())
        try:
            programs = await asyncio.to_thread(_rendered, self.topology, self.files)
        finally:
            await _to_its_end(creating)
        self.timeline.note("hosts.made", hosts=len(self.topology.hosts()))
        self._capture = Dumpcap(self.topology, self.runtime, self.files.run.raw_capture, self.files.lab_id)
        await self._capture.start()
        self.timeline.note("capture.started")
        self.processes = {
            program.host: HostProcess(program, self.runtime, self.files, self._ended, self._crashed)
            for program in programs
        }
        await start_programs(programs, self.processes, self._ready, self._ready_s())
        self.timeline.note("lab.up")

    def _ready_s(self) -> float:
        """Return how long a program may take while all start at once: they share the processors."""
        return READY_S * max(1.0, len(self.topology.systems) / SYSTEMS_AT_ONCE)

    async def down(self) -> None:
        """End every program, then the capture, and remove the hosts; nothing where there is nothing."""
        if not self._is_there:
            return
        stopping = list(self.processes.values())
        await asyncio.gather(*(process.stop() for process in stopping))
        await self.finish_capture()
        await self.faults.leave()
        await self.runtime.remove()
        shutil.rmtree(self.files.sockets, ignore_errors=True)
        if SOCKETS.is_dir() and not any(SOCKETS.iterdir()):
            SOCKETS.rmdir()
        self._is_there = False
        self.timeline.note("lab.down")

    async def finish_capture(self) -> None:
        """Stop capturing; the file is whole afterwards."""
        if self._capture is not None:
            self.timeline.note("capture.stopping")
            await self._capture.stop()
            self.timeline.note("capture.stopped")
            self._capture = None

    def process(self, host: str) -> HostProcess:
        """Return the program of a host.

        Raises:
            ProgramFailure: no program runs there.
        """
        try:
            return self.processes[host]
        except KeyError:
            raise ProgramFailure(f"no program on {host}; there are {', '.join(self.processes)}") from None

    async def kill(self, host: str) -> None:
        """End a host's program at once."""
        await self.process(host).kill()
        self.timeline.note("program.killed", host=host)

    async def stop(self, host: str) -> None:
        """End a host's program, as an operator would."""
        await self.process(host).stop()
        self.timeline.note("program.stopped", host=host)

    async def restart(self, host: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a host's program again, in another environment where given, and wait until it is ready.

        Raises:
            ProgramFailure: it does not get ready.
        """
        old = self.process(host)
        await old.stop()
        settings = old.program.environment if environment is None else environment
        program = HostProcess(
            replace(old.program, environment=settings), self.runtime, self.files, self._ended, self._crashed
        )
        self.processes[host] = program
        await program.start(READY_S)
        self._ready(program)

    def pause(self, host: str) -> None:
        """Stop a host's program where it is."""
        self.process(host).signal(signal.SIGSTOP)
        self.timeline.note("program.paused", host=host)

    def resume(self, host: str) -> None:
        """Let a paused program go on."""
        self.process(host).signal(signal.SIGCONT)
        self.timeline.note("program.resumed", host=host)

    async def command(self, ue: str, values: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """Send a command to a UE and return its answer.

        Raises:
            ProgramFailure: there is no such UE, or it does not answer.
        """
        self._require_ue(ue)
        return await self.process(ue).command(values, deadline_s)

    def status(self) -> dict[str, Any]:
        """Return what runs, as a JSON object."""
        hosts = {host.key: host for host in self.topology.hosts()}
        return {
            "lab": self.files.lab_id,
            "run": str(self.files.run.path),
            "systems": list(self.topology.systems),
            "faults": [{"fault": str(fault), **asdict(fault)} for fault in self.faults.active()],
            "hosts": [
                {
                    "host": key,
                    "address": str(host.address),
                    "state": self.processes[key].state if key in self.processes else "no program",
                    "pid": self.processes[key].pid if key in self.processes else None,
                    "listen": self.processes[key].listen if key in self.processes else [],
                }
                for key, host in hosts.items()
            ],
        }

    async def move(self, ue: str, system: str) -> None:
        """Take a UE into another system's network.

        Raises:
            ProgramFailure: there is no such UE or system.
            RuntimeFailure: the machine refuses.
        """
        self._require_ue(ue)
        self._require_system(system)
        await self.runtime.move(ue, system)

    async def attach(self, ue: str, system: str) -> None:
        """Give a UE a second interface, in another system's network; raises as ``move``."""
        self._require_ue(ue)
        self._require_system(system)
        await self.runtime.attach(ue, system)

    async def cut(self, system: str) -> None:
        """Cut the link between a system and the others; raises as ``move``."""
        self._require_system(system)
        await self.runtime.cut(system)

    async def mend(self, system: str) -> None:
        """Mend what was cut; raises as ``move``."""
        self._require_system(system)
        await self.runtime.mend(system)

    def _require_ue(self, ue: str) -> None:
        if ue not in self.topology.ues:
            raise ProgramFailure(f"no UE {ue}; there are {', '.join(self.topology.ues) or 'none'}")

    def _require_system(self, system: str) -> None:
        if system not in self.topology.systems:
            raise ProgramFailure(f"no system {system} in this lab; there are {', '.join(self.topology.systems)}")

    def _ready(self, process: HostProcess) -> None:
        self.timeline.note("program.ready", host=process.host, listen=process.listen)

    def _crashed(self, process: HostProcess) -> None:
        self.timeline.note("program.crashed", host=process.host, status=process.exit_status, again=True)

    def _ended(self, process: HostProcess) -> None:
        self.unexpected.append(f"{process.host} ended with {process.exit_status}")
        self.timeline.note("program.ended", host=process.host, status=process.exit_status)


async def _to_its_end(creating: "asyncio.Task[None]") -> None:
    """Wait for it although we are to end: what comes into being after the removal would stay for ever."""
    try:
        await asyncio.shield(creating)
    except asyncio.CancelledError:
        await asyncio.wait([creating])
        raise


def _tools(runtime: Runtime, topology: Topology) -> tuple[str, ...]:
    if runtime.brings_programs:
        return runtime.tools
    has_agents = any(system.agents == "freediameter" for system in topology.systems.values())
    return (*runtime.tools, "kamailio", *(("freeDiameterd",) if has_agents else ()))


def _rendered(topology: Topology, files: Files) -> tuple[Program, ...]:
    """Write the lab's files; what that takes is loaded here, while the namespaces are made."""
    from lab.render.programs import render_lab

    return render_lab(topology, files)
