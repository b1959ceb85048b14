"""What a runtime of the lab offers: hosts with addresses, and commands that run on them.

``netns`` is one; containers are another.  The supervisor and the scenarios know only this.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class RuntimeFailure(RuntimeError):
    """The runtime could not do it; the text is one line."""


class Runtime(Protocol):
    """Hosts of one lab on this machine."""

    name: str
    """As ``--runtime`` has it."""
    tools: tuple[str, ...]
    """Programs of this machine without which it does not work."""
    brings_programs: bool
    """What hosts run comes with it, and need not be installed on this machine."""

    async def create(self) -> None:
        """Make every host of the topology and connect them.

        Raises:
            RuntimeFailure: a name is taken, or the machine refuses.
        """

    async def remove(self) -> None:
        """Remove all of it, with whatever still runs inside."""

    def command(self, host: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command of this machine that runs ``argv`` on a host, and ends when that does."""

    def signal(self, host: str, pid: int, number: signal.Signals) -> None:
        """Send a signal to what ``command`` runs on a host, children and all; ``pid`` leads the command's group."""

    async def move(self, ue: str, system: str) -> None:
        """Take the UE's interface out of its network and put it into another system's."""

    async def attach(self, ue: str, system: str) -> None:
        """Give the UE a second interface, in another system's network."""

    async def cut(self, place: str) -> None:
        """Cut a link: that between a system's network and the others, or a host's own."""

    async def lose(self, place: str, percent: int) -> None:
        """Lose so many of a hundred frames on such a link, each way."""

    async def slow(self, place: str, delay_ms: int, jitter_ms: int) -> None:
        """Have each frame come so much later over such a link, each way, give or take the jitter."""

    async def mend(self, place: str) -> None:
        """Mend what ``cut``, ``lose`` or ``slow`` did to a link; nothing where nothing was done."""

    async def give_small_disk(self, folder: Path, octets: int) -> None:
        """Put a state folder, with what is in it, on a file system of its own of that size; no program uses it."""

    async def give_disk_back(self, folder: Path) -> None:
        """Undo that, what is in the folder kept; no program uses it."""

    async def processes(self) -> list[int]:
        """Return the process ids of everything that runs inside."""


async def run_to_end(argv: Sequence[str], text: str = "") -> str:
    """Run a command of this machine and return its standard output.

    Raises:
        RuntimeFailure: it is not installed, or did not end well.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError as exc:
        raise RuntimeFailure(f"{argv[0]} is not installed") from exc
    out, err = await process.communicate(text.encode())
    if process.returncode != 0:
        first = (err or out).decode(errors="replace").strip().splitlines()
        raise RuntimeFailure(f"{' '.join(argv)}: {first[0] if first else f'exit {process.returncode}'}")
    return out.decode()
