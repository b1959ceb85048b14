"""One transport: octets in, messages out, one write for all that gathers in a read.  No protocol decision is here."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection
from typing import Final, Protocol, cast

from diameter_proxy.diameter.errors import FramingLost
from diameter_proxy.diameter.transactions import HopByHop, PendingRequests
from diameter_proxy.diameter.wire import FrameBuffer

ABORT_S: Final = 1.0
"""How long a closed connection may take to send what is left."""


READ_OCTETS: Final = 1 << 18
"""How much is read at once, of all that has gathered."""


class ConnectionOwner(Protocol):
    """Who decides what a connection's messages mean."""

    def connection_made(self, connection: "Connection") -> None: ...
    def receive(self, connection: "Connection", runs: list[bytes]) -> None: ...
    def framing_lost(self, connection: "Connection", loss: FramingLost) -> None: ...
    def connection_lost(self, connection: "Connection", reason: str) -> None: ...


class Output:
    """The connections that have messages to write once what can be read at present has been handled."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: Collection[object] = getattr(loop, "_ready", ())
        """What the loop has still to do in this round; a loop that does not tell has one write a read."""
        self.waiting: list[Connection] = []
        """Who has something to write."""
        self._scheduled = False
        self.is_reading = False
        """Whether what is written is held back until the read has been handled."""
        self.room: Final = memoryview(bytearray(READ_OCTETS))
        """Where every connection reads to, for what is read is taken out before anything else happens."""

    def end_read(self) -> None:
        """Write now what waits if nothing else is to be done first; else other reads may add to the same writes."""
        if self._due:
            self.schedule()
            return
        waiting, self.waiting = self.waiting, []  # as ``flush``, without the call: so ends nearly every read
        for connection in waiting:
            connection.flush()

    def flush(self) -> None:
        """Write for all that wait."""
        self._scheduled = False
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            connection.flush()

    def schedule(self) -> None:
        """Have ``flush`` called in the loop's next round."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)


class Connection(asyncio.BufferedProtocol):
    """One transport connection, accepted or initiated.

    A buffered protocol, for the other kind makes and cuts a new object of 256 KiB for each read.

    Attributes:
        owner: replaced once the peer is known.
        authenticated: host names that the peer's certificate proved; empty without TLS.
        pending: futures of ``request`` that wait here.
    """

    def __init__(
        self, owner: ConnectionOwner, output: Output, *, hop_by_hop: int, limit_octets: int, max_unsent_octets: int
    ) -> None:
        self.owner = owner
        self.is_closed = False
        self.is_congested = False
        self.is_secured = False
        self.authenticated: frozenset[str] = frozenset()
        self.remote_address = ""
        self.local_address = ""
        self.pending: PendingRequests[asyncio.Future[bytes]] = PendingRequests()
        self.hop_by_hop = HopByHop(hop_by_hop)
        self.on_drained: list[Callable[[], None]] = []
        self._output = output
        self._frames = FrameBuffer(limit_octets)
        self._max_unsent_octets = max_unsent_octets
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._pauses: set[object] = set()

    @property
    def tls(self) -> object:
        """The ``ssl.SSLObject`` of the transport, or None."""
        return None if self._transport is None else self._transport.get_extra_info("ssl_object")

    @property
    def unsent_octets(self) -> int:
        """Octets that wait here and in the transport."""
        waiting = sum(map(len, self._out))
        return waiting + (self._transport.get_write_buffer_size() if self._transport else 0)

    @property
    def is_paused_for_others(self) -> bool:
        """Whether the peer is not read because another destination is congested."""
        return bool(self._pauses - {self})

    def is_paused_for(self, cause: object) -> bool:
        """Say whether the peer is not read because of this."""
        return cause in self._pauses

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that asyncio made; TLS is up, if there is any."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._max_unsent_octets)
        _send_at_once(transport.get_extra_info("socket"))
        self.remote_address = _address(transport.get_extra_info("peername"))
        self.local_address = _address(transport.get_extra_info("sockname"))
        self.is_secured = self.tls is not None
        self.owner.connection_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where the transport shall read to."""
        return self._output.room

    def buffer_updated(self, nbytes: int) -> None:
        """Cut messages out of what the transport has read, hand them over, then write what came of it."""
        if self.is_closed:
            return
        output = self._output
        output.is_reading = True
        loss = None
        try:
            try:
                runs = self._frames.receive_runs(output.room[:nbytes])
            except FramingLost as exc:
                loss, runs = exc, list(exc.messages)
            if runs:
                self.owner.receive(self, runs)
            if loss is not None and not self.is_closed:
                self.owner.framing_lost(self, loss)
        finally:
            output.is_reading = False
            if output.waiting:
                output.end_read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, unless it closed this connection itself."""
        was_closed, self.is_closed = self.is_closed, True
        self._drained()
        if not was_closed:
            self.owner.connection_lost(self, str(exc) if exc else "closed by the peer")

    def pause_writing(self) -> None:
        """Take note that over ``max_unsent_octets`` wait, and read no more of what would add to them."""
        self.is_congested = True
        self.pause_reading(self)

    def resume_writing(self) -> None:
        """Take note that the peer reads again."""
        self.is_congested = False
        self.resume_reading(self)
        self._drained()

    def write(self, octets: bytes) -> None:
        """Send a message, together with all others of the present read."""
        if self.is_closed:
            return
        if not self._out:
            output = self._output
            output.waiting.append(self)
            if not output.is_reading:
                output.schedule()
        self._out.append(octets)

    def flush(self) -> None:
        """Give the transport what has gathered."""
        if self._out and self._transport is not None:
            gathered, self._out = self._out, []
            self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def pause_reading(self, cause: object) -> None:
        """Read no more until each cause has been taken back."""
        self._pauses.add(cause)
        if self._transport is not None and len(self._pauses) == 1:
            self._transport.pause_reading()

    def resume_reading(self, cause: object) -> None:
        """Take back one cause for not reading."""
        if cause in self._pauses:
            self._pauses.discard(cause)
            if not self._pauses and not self.is_closed and self._transport is not None:
                self._transport.resume_reading()

    def close(self) -> None:
        """Send what is left, for a short while, then close; the owner hears no more of this connection."""
        if self.is_closed:
            return
        self.flush()
        self.is_closed = True
        self._drained()
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(ABORT_S, self._transport.abort)

    def abort(self) -> None:
        """Close at once, whatever is left to send."""
        self.is_closed = True
        self._drained()
        if self._transport is not None:
            self._transport.abort()

    def _drained(self) -> None:
        callbacks, self.on_drained = self.on_drained, []
        for callback in callbacks:
            callback()


def _send_at_once(bound: object) -> None:
    """Switch Nagle's algorithm off (RFC 3539 §3.2): asyncio forgets it on sockets that were accepted."""
    if bound is not None:
        with contextlib.suppress(OSError):  # gone already
            cast(socket.socket, bound).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _address(name: object) -> str:
    """Return the IP address of a socket name; a connection that is gone already has none."""
    return str(name[0]) if isinstance(name, tuple) and name else ""
