"""dumpcap on every bridge of the lab, from before the first program starts until after the last has ended.

It is ready when standard error says ``File:``.  What the kernel holds at SIGINT is lost (up to 0.25 s of frames), so a
last datagram is sent over each bridge, and the end waits until the file has it.  The file is its standard output: only
that it writes as frames come, while a file of its own gets them twice a second.  dumpcap writes what a bridge gives as
it comes; ``reordercap`` puts the frames in the order of their time.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Final

from lab.runtime import plan
from lab.runtime.marks import MARK
from lab.runtime.runtime import Runtime, RuntimeFailure
from lab.topology import Topology

READY_S: Final = 5.0
STOP_S: Final = 5.0
BUFFER_MIB: Final = 32
DISCARD_PORT: Final = 9
LAST_WORDS_S: Final = 1.5
LOOK_S: Final = 0.03
LOOKED_AT_OCTETS: Final = 1 << 16


class Dumpcap:
    """The capture of one lab."""

    def __init__(self, topology: Topology, runtime: Runtime, file: Path, lab_id: str) -> None:
        self._topology = topology
        self._runtime = runtime
        self._file = file
        self._lab_id = lab_id
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and return once it captures.

        Raises:
            RuntimeFailure: it ends at once, or does not get ready.
        """
        argv = ["dumpcap", "-q", "-B", str(BUFFER_MIB)]
        for interface, expression in plan.capture_filters(self._topology):
            argv += ["-i", interface, *(["-f", expression] if expression else [])]
        argv += ["-w", "-"]
        self._file.touch(mode=0o600)  # CK and IK pass in clear inside a core
        with self._file.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._runtime.command(plan.SWITCH, argv, {MARK: self._lab_id}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(READY_S):
                await self._until_it_captures(self._process)
        except TimeoutError:
            raise RuntimeFailure(f"dumpcap was not ready after {READY_S:g} s") from None

    async def stop(self) -> None:
        """End it and wait until the file is whole."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        await self._last_words()
        _signal(process.pid, signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            _signal(process.pid, signal.SIGKILL)
            await process.wait()
        if self._drain is not None:
            await self._drain
        await self._put_in_order()

    async def _put_in_order(self) -> None:
        draft = self._file.with_name(f".{self._file.name}.ordered")
        draft.touch(mode=0o600)  # as the file itself
        sorting = await asyncio.create_subprocess_exec(
            "reordercap",
            str(self._file),
            str(draft),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if await sorting.wait() == 0:
            draft.replace(self._file)

    async def _last_words(self) -> None:
        """Send a datagram over each bridge and wait until the file holds it, or for a while."""
        words = {system: f"end of capture on {plan.bridge(system)}" for system in self._topology.systems}
        script = "; ".join(
            f"echo {text} > /dev/udp/{self._topology.address(system, 'pcscf')}/{DISCARD_PORT}"
            for system, text in words.items()
        )
        sending = await asyncio.create_subprocess_exec(
            *self._runtime.command(plan.ROUTER, ["bash", "-c", script], {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await sending.wait()
        for _ in range(int(LAST_WORDS_S / LOOK_S)):
            end = last_octets(self._file)
            if all(text.encode() in end for text in words.values()):
                return
            await asyncio.sleep(LOOK_S)

    async def _until_it_captures(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        said = []
        async for line in process.stderr:
            said.append(line.decode(errors="replace").strip())
            if said[-1].startswith("File:"):
                self._drain = asyncio.create_task(_forget(process.stderr))
                return
        raise RuntimeFailure(f"dumpcap: {said[-1] if said else 'it ended without a word'}")


def _signal(group: int, number: signal.Signals) -> None:
    """Tell dumpcap, unless it has ended by itself: then the file is as whole as it will be."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


async def _forget(stream: asyncio.StreamReader) -> None:
    while await stream.read(4096):
        pass


def last_octets(file: Path) -> bytes:
    """Return the end of a file."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - LOOKED_AT_OCTETS))
        return stream.read()
