"""Waits, in a lab that is up, until a message is on the wire."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final, Self

from lab.faults.fault import FaultError, Seen
from lab.faults.watcher import ANY
from lab.runtime.marks import MARK
from lab.runtime.plan import SWITCH, capture_filters

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

READY_S: Final = 10.0
SEEN_S: Final = 15.0


class Sighting:
    """One message awaited."""

    def __init__(self, process: asyncio.subprocess.Process, wanted: Seen) -> None:
        self._process = process
        self._wanted = wanted

    @classmethod
    async def start(cls, lab: "Lab", wanted: Seen) -> Self:
        """Look out for it; whatever is sent from now on is seen.

        Raises:
            FaultError: there is no such host, or nothing can be seen on this machine.
        """
        addresses = {host.key: str(host.address) for host in lab.topology.hosts()}
        unknown = [host for host in (wanted.sender, wanted.receiver) if host and host not in addresses]
        if unknown:
            raise FaultError(f"no host {unknown[0]} in this lab")
        ends = [addresses.get(host, ANY) for host in (wanted.sender, wanted.receiver)]
        bridges = [bridge for bridge, _ in capture_filters(lab.topology)]
        argv = [sys.executable, "-P", "-m", "lab.faults.watcher", wanted.message, *ends, *bridges]
        process = await asyncio.create_subprocess_exec(
            *lab.runtime.command(SWITCH, argv, {MARK: lab.files.lab_id}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        one = cls(process, wanted)
        if not await one._line(READY_S):
            await one.end()
            raise FaultError("the bridges cannot be watched on this machine")
        return one

    async def wait(self, under_way: asyncio.Task[Any]) -> None:
        """Return when the message is seen.

        Raises:
            FaultError: it did not come in time, or what was to bring it is over.
        """
        seen = asyncio.create_task(self._line(SEEN_S))
        await asyncio.wait([seen, under_way], return_when=asyncio.FIRST_COMPLETED)
        if seen.done() and seen.result():
            return
        seen.cancel()
        await asyncio.gather(seen, return_exceptions=True)
        if under_way.done():
            under_way.result()
        raise FaultError(f"{self._wanted.message} was not seen")

    async def end(self) -> None:
        """Look no more."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()  # to the end of its pipe, so that it is closed

    async def _line(self, patience_s: float) -> bytes:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(patience_s):
                return await self._process.stdout.readline()
        except TimeoutError:
            return b""
