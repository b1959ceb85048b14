"""Two Diameter peers that connect to each other at once: no CER arrives before both are under way (RFC 6733 §5.6.4).

One relay of octets for each direction of connecting; what passed is kept in order, so that a test can say who closed
what, and with which words.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Literal

from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer

Way = Literal["there", "back"]


@dataclass(frozen=True, slots=True)
class Passed:
    """One message, or the end of one way of a connection (``octets`` empty)."""

    initiator: str
    way: Way
    octets: bytes


class Crossing:
    """What two peers say to each other when their CERs cross."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        self._waiting: set[str] = set()
        self._both = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def relay(self, initiator: str, target: int) -> int:
        """Return the port that this peer has to connect to in order to reach the other one at ``target``."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                writer.close()
                return
            self._begin(self._pass(initiator, "there", reader, far_writer))
            self._begin(self._pass(initiator, "back", far_reader, writer))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End all relays."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def answers(self, initiator: str) -> list[int | None]:
        """Return the Result-Codes of the CEAs that came back on the connections of this initiator."""
        messages = [
            Message.decode(p.octets) for p in self.passed if p.octets and (p.initiator, p.way) == (initiator, "back")
        ]
        return [message.result()[1] for message in messages if message.header.command_code == 257]

    def ended_by(self, initiator: str) -> Way | None:
        """Say which side ended the first connection of this initiator: "there" is the initiator itself."""
        return next((p.way for p in self.passed if not p.octets and p.initiator == initiator), None)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, initiator: str, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameBuffer()
        try:
            with contextlib.suppress(OSError):
                while octets := await reader.read(65536):
                    if way == "there":
                        await self._meet(initiator)
                    self.passed += [Passed(initiator, way, message) for message in frames.receive_data(octets)]
                    writer.write(octets)
            self.passed.append(Passed(initiator, way, b""))
        finally:
            writer.close()

    async def _meet(self, initiator: str) -> None:
        self._waiting.add(initiator)
        if len(self._waiting) == len(self._servers):
            self._both.set()
        await self._both.wait()
