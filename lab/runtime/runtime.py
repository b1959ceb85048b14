"""What a runtime of the lab offers: hosts with addresses, and commands that run on them.

``netns`` is one; containers are another.  The supervisor and the scenarios know only this.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol


class RuntimeFailure(RuntimeError):
    """The runtime could not do it; the text is one line."""


class Runtime(Protocol):
    """Hosts of one lab on this machine."""

    async def create(self) -> None:
        """Make every host of the topology and connect them.

        Raises:
            RuntimeFailure: a name is taken, or the machine refuses.
        """

    async def remove(self) -> None:
        """Remove all of it, with whatever still runs inside."""

    def command(self, host: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command of this machine that runs ``argv`` on a host."""

    async def move(self, ue: str, system: str) -> None:
        """Take the UE's interface out of its network and put it into another system's."""

    async def attach(self, ue: str, system: str) -> None:
        """Give the UE a second interface, in another system's network."""

    async def cut(self, system: str) -> None:
        """Cut the link between a system's network and the others."""

    async def mend(self, system: str) -> None:
        """Mend what ``cut`` cut."""

    async def processes(self) -> list[int]:
        """Return the process ids of everything that runs inside."""
