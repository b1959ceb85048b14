"""Makes the faults of a lab and mends them; each is noted in the timeline and written into the capture.

A host has one fault of its program at a time, one of its link, and one of what it answers.  What would outlive the lab
is removed by ``leave``, whatever happened before; the rest goes with the lab's hosts and programs.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from lab.faults import marks
from lab.faults.clock import NoFaketime, forget_shared_memory, skewed
from lab.faults.fault import Fault, FaultError, Kind
from lab.faults.hss import answer_as
from lab.runtime.marks import MARK
from lab.runtime.plan import ROUTER
from lab.runtime.runtime import run_to_end

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

SMALL_DISK_OCTETS: Final = 16 << 20
FILLER: Final = "filler"
FILLER_CHUNK_OCTETS: Final = 1 << 16
Family = Literal["link", "program", "answers"]
# fmt: off
FAMILIES: Final[dict[Kind, Family]] = {
    "cut": "link", "loss": "link", "delay": "link",
    "kill": "program", "pause": "program", "restart": "program", "clock-skew": "program", "full-disk": "program",
    "hss-silent": "answers", "hss-slow": "answers",
}
# fmt: on


class Faults:
    """The faults of one lab."""

    def __init__(self, lab: "Lab") -> None:
        self._lab = lab
        self._active: dict[tuple[Family, str], Fault] = {}
        self._skewed_pids: set[int] = set()
        self._small_disks: set[str] = set()

    def active(self) -> list[Fault]:
        """Return the faults that there are now."""
        return list(self._active.values())

    async def begin(self, fault: Fault) -> None:
        """Make a fault; it is there when this returns.

        Raises:
            FaultError: that place has one of this family already, or libfaketime is missing.
            ProgramFailure: no program there, or it does not get ready again.
            RuntimeFailure: the machine refuses.
        """
        place = (FAMILIES[fault.kind], fault.target)
        there = self._active.get(place)
        if there is not None:
            raise FaultError(f"{fault.target} has a fault already: {there}; end it first")
        if place[0] == "program":
            self._lab.process(fault.target)
        self._active[place] = fault
        try:
            await self._begin(fault)
        except BaseException:
            del self._active[place]
            raise
        self._lab.timeline.note("fault.began", fault=str(fault), kind=fault.kind, target=fault.target)
        await self.mark(marks.FAULT_BEGAN + str(fault))
        if fault.kind == "restart":
            del self._active[place]
            self._lab.timeline.note("fault.ended", fault=str(fault), kind=fault.kind, target=fault.target)

    async def end(self, kind: Kind, target: str) -> Fault:
        """Mend a fault and return it; the program that it struck is ready again when this returns.

        Raises:
            FaultError: there is no such fault.
            ProgramFailure: a program does not get ready again.
            RuntimeFailure: the machine refuses.
        """
        fault = self._active.get((FAMILIES[kind], target)) if kind in FAMILIES else None
        if fault is None or fault.kind != kind:
            there = ", ".join(str(one) for one in self.active())
            raise FaultError(f"{target} has no {kind}; faults now: {there or 'none'}")
        await self.mark(marks.FAULT_ENDED + str(fault))
        await self._end(fault)
        del self._active[FAMILIES[kind], target]
        self._lab.timeline.note("fault.ended", fault=str(fault), kind=fault.kind, target=fault.target)
        return fault

    async def end_all(self) -> list[Fault]:
        """Mend every fault, the last first; raises as ``end``."""
        return [await self.end(fault.kind, fault.target) for fault in reversed(self.active())]

    async def leave(self) -> None:
        """Remove what would outlive the lab: small file systems, and shared memory of killed programs.

        Raises:
            RuntimeFailure: the machine refuses.
        """
        for host in sorted(self._small_disks):
            await self._lab.runtime.give_disk_back(self._lab.files.state(host))
        for pid in self._skewed_pids:
            forget_shared_memory(pid)
        self._small_disks.clear()
        self._skewed_pids.clear()
        self._active.clear()

    async def mark(self, text: str) -> None:
        """Write a text into the capture, on each system's network."""
        topology = self._lab.topology
        addresses = {name: str(one.network.broadcast_address) for name, one in topology.systems.items()}
        argv = marks.sending(sys.executable, text, addresses)
        await run_to_end(self._lab.runtime.command(ROUTER, argv, {MARK: self._lab.files.lab_id}))

    async def _begin(self, fault: Fault) -> None:
        if FAMILIES[fault.kind] == "link":
            await self._begin_at_link(fault)
        elif FAMILIES[fault.kind] == "answers":
            silent = fault.kind == "hss-silent"
            await answer_as(self._lab.files.socket(fault.target), silent=silent, after_s=fault.delay_ms / 1000)
        else:
            await self._program_faults[fault.kind](fault)

    async def _begin_at_link(self, fault: Fault) -> None:
        runtime = self._lab.runtime
        if fault.kind == "cut":
            await runtime.cut(fault.target)
        elif fault.kind == "loss":
            await runtime.lose(fault.target, fault.percent)
        else:
            await runtime.slow(fault.target, fault.delay_ms, fault.jitter_ms)

    @property
    def _program_faults(self) -> dict[Kind, Callable[[Fault], Awaitable[Any]]]:
        return {
            "kill": lambda fault: self._lab.kill(fault.target),
            "pause": self._pause,
            "restart": self._restart,
            "clock-skew": self._skew,
            "full-disk": self._fill,
        }

    async def _pause(self, fault: Fault) -> None:
        self._lab.pause(fault.target)

    async def _restart(self, fault: Fault) -> None:
        await self._lab.kill(fault.target)
        await self._lab.restart(fault.target)

    async def _skew(self, fault: Fault) -> None:
        try:
            environment = skewed(fault.skew_s)
        except NoFaketime as exc:
            raise FaultError(str(exc)) from exc
        await self._lab.restart(fault.target, environment)
        self._skewed_pids.add(self._lab.process(fault.target).pid or 0)

    async def _fill(self, fault: Fault) -> None:
        """Start the program again where it keeps its state on a small file system, and fill that up."""
        folder = self._lab.files.state(fault.target)
        if fault.target not in self._small_disks:
            await self._lab.stop(fault.target)
            await self._lab.runtime.give_small_disk(folder, SMALL_DISK_OCTETS)
            self._small_disks.add(fault.target)
            await self._lab.restart(fault.target)
        try:
            with (folder / FILLER).open("ab", buffering=0) as filler:
                while filler.write(bytes(FILLER_CHUNK_OCTETS)) == FILLER_CHUNK_OCTETS:
                    pass
        except OSError:
            return  # the disk is full: that was wanted

    async def _end(self, fault: Fault) -> None:
        match fault.kind:
            case "cut" | "loss" | "delay":
                await self._lab.runtime.mend(fault.target)
            case "hss-silent" | "hss-slow":
                await answer_as(self._lab.files.socket(fault.target), silent=False, after_s=0.0)
            case "pause":
                self._lab.resume(fault.target)
            case "full-disk":
                (self._lab.files.state(fault.target) / FILLER).unlink()
            case "clock-skew":
                await self._lab.restart(fault.target, {})
            case _:
                await self._lab.restart(fault.target)
