"""A slow piece of cable between a port of the switch and its bridge: two TAP interfaces and a forwarder.

before   port ── bridge            with it   port ── bridge of its own ── TAP ~~ forwarder ~~ TAP ── bridge
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from lab.runtime.marks import MARK
from lab.runtime.plan import SWITCH
from lab.runtime.runtime import RuntimeFailure

READY_S: Final = 10.0
Ip = Callable[[str], Awaitable[None]]
Command = Callable[[str, Sequence[str], Mapping[str, str]], list[str]]


class SlowCable:
    """One such piece."""

    def __init__(self, port: str, bridge: str, number: int) -> None:
        self._port = port
        self._bridge = bridge
        self._own = f"slow{number}"
        self._process: asyncio.subprocess.Process | None = None

    async def insert(self, command: Command, lab_id: str, ip: Ip, delay_ms: int, jitter_ms: int) -> None:
        """Start the forwarder and put the port behind it.

        Raises:
            RuntimeFailure: there is no TUN/TAP on this machine, or it refuses.
        """
        taps = (f"{self._own}a", f"{self._own}b")
        argv = [sys.executable, "-P", "-m", "lab.faults.forwarder", *taps, str(delay_ms), str(jitter_ms)]
        self._process = await asyncio.create_subprocess_exec(
            *command(SWITCH, argv, {MARK: lab_id}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_S)
        except TimeoutError:
            line = b""
        if not line:
            await _ended(self._process)
            raise RuntimeFailure("frames cannot be delayed: /dev/net/tun cannot be used on this machine")
        await ip(inserted(self._port, self._bridge, self._own))

    async def remove(self, ip: Ip) -> None:
        """Put the port back on its bridge and end the forwarder.

        Raises:
            RuntimeFailure: the machine refuses.
        """
        await ip(removed(self._port, self._bridge, self._own))
        await self.end()

    async def end(self) -> None:
        """End the forwarder: what is enough where the whole network goes."""
        if self._process is not None:
            await _ended(self._process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill it if it lives, and read its pipe to the end: so the pipe is closed too."""
    if process.returncode is None:
        process.kill()
    await process.communicate()


def inserted(port: str, bridge: str, own: str) -> str:
    """Return what ``ip -batch`` reads to put a port behind the piece of cable called ``own``."""
    return (
        f"link add {own} type bridge mcast_snooping 0\n"
        f"link set {own} addrgenmode none up\n"
        f"link set {own}a addrgenmode none master {own} up\n"
        f"link set {own}b addrgenmode none master {bridge} up\n"
        f"link set {port} nomaster\n"
        f"link set {port} master {own}\n"
    )


def removed(port: str, bridge: str, own: str) -> str:
    """Return what ``ip -batch`` reads to put it back."""
    return f"link set {port} nomaster\nlink set {port} master {bridge}\nlink del {own}\n"
