"""The admin socket: a Unix stream socket, mode 0600, that answers a line of JSON with a line of JSON.

``{"command": "peers"}``, ``map``, ``feed``, ``routes``, ``pending``, ``reload``; ``explain`` with ``peer`` and
``message``; ``trace`` with ``identity`` and ``seconds``, whose answer is followed by a line for each event until the
time is over.  The command line asks here.  It shows no identities.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from diameter_proxy.diameter.wire import HEADER_OCTETS
from diameter_proxy.explaining import Explanations
from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.node.errors import ReloadRefused
from diameter_proxy.node.node import Node
from diameter_proxy.proxy import Proxy
from diameter_proxy.trace import TraceRefused, wanted

LINE_OCTETS_MAX: Final = 1 << 18
"""A message of 64 KiB in hex fits."""
ANSWER_OCTETS_MAX: Final = 1 << 24
TRACED_MAX: Final = 1000
IDLE_S: Final = 30.0
WRITE_S: Final = 5.0
"""A client that has not read its answer by then is dropped."""
ASK_S: Final = 5.0
SEE_OFF_S: Final = 2.0
HINT: Final = "does the proxy of this file run? A socket that the file got while it ran opens at SIGHUP"


class AdminError(Exception):
    """The proxy's admin socket cannot be reached, or said no."""


class _Unreadable(Exception):
    """What came is no line of JSON."""


class AdminSocket:
    """Answers questions about the running proxy."""

    def __init__(
        self,
        path: Path,
        proxy: Proxy,
        node: Node,
        feed: Callable[[], FeedStatus | None] = lambda: None,
        reload: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Take what tells how the feed stands now, and what reads the configuration again where it came from a file."""
        self._path: Final = path
        self._proxy: Final = proxy
        self._node: Final = node
        self._feed: Final = feed
        self._explanations: Final = Explanations(proxy, time.monotonic)
        self._reload: Final = reload
        self._server: asyncio.Server | None = None
        self._commands: Final[Mapping[str, Callable[[], Any]]] = {
            "peers": self._peers,
            "map": self._map,
            "feed": self._describe_feed,
            "routes": self._explanations.routes,
            "pending": self._explanations.pending,
        }

    async def start(self) -> None:
        """Listen; a socket that a dead process left is replaced, nothing else is.

        Raises:
            OSError: the path cannot be bound, for one because another file or a living process has it.
        """
        if "\0" in str(self._path):  # the kernel would bind what is before it
            raise OSError("admin.socket: a path without NUL is wanted")
        _remove_stale_socket(self._path)
        listening = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listening.bind(str(self._path))
        except (OSError, ValueError):  # a lone surrogate is a ValueError
            listening.close()
            raise
        finally:
            os.umask(mask)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_OCTETS_MAX)

    async def stop(self) -> None:
        """Listen no more and take the socket away."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # only the end of the loop cancels, and asyncio of 3.11 would print the cancellation
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._converse_or_say(reader, writer)
            writer.close()
            async with asyncio.timeout(WRITE_S):
                await writer.wait_closed()
        writer.transport.abort()  # a close alone waits until all has been read

    async def _converse_or_say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except OSError:  # the client's end, or its time is over
            raise
        except Exception:  # noqa: BLE001 - one of the boundaries in ARCHITECTURE.md
            structlog.get_logger().exception("admin.fault")
            _write(writer, {"ok": False, "reason": "a fault of the proxy; it is in its log"})

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line by line; what cannot be understood is said, and is the last."""
        while True:
            try:
                asked = await _read(reader)
                if asked is None:
                    return
                if asked.get("command") == "trace":
                    await self._trace(asked, reader, writer)
                    return
            except (_Unreadable, TraceRefused) as exc:
                _write(writer, {"ok": False, "reason": str(exc)})
                await _see_off(reader, writer)
                return
            _write(writer, await self._answered(asked))
            async with asyncio.timeout(WRITE_S):
                await writer.drain()

    async def _answered(self, asked: dict[str, Any]) -> dict[str, Any]:
        match asked.get("command"):
            case "explain":
                return self._explained(asked)
            case "reload":
                return await self._reloaded()
            case command:
                return self._answer(command)

    def _explained(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            octets = bytes.fromhex(asked["message"])
            told = self._explanations.message(asked["peer"], octets) if len(octets) >= HEADER_OCTETS else None
        except (KeyError, ValueError, TypeError, AttributeError):
            told = None
        if told is None:
            return {"ok": False, "reason": "explain wants peer, and message in hex"}
        return {"ok": True, "explain": told}

    async def _reloaded(self) -> dict[str, Any]:
        if self._reload is None:
            return {"ok": False, "reason": "there is no file to read again"}
        try:
            await self._reload()
        except ReloadRefused as exc:
            return {"ok": False, "reason": str(exc)}
        return {"ok": True, "reload": "done"}

    async def _trace(self, asked: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell until the time is over or the client goes, whichever is first.

        Raises:
            TraceRefused: nobody is followed.
        """
        identity, seconds = wanted(asked)
        found: asyncio.Queue[dict[str, Any]] = asyncio.Queue(TRACED_MAX)

        def listen(event: dict[str, Any]) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                found.put_nowait(event)

        self._proxy.tracer.follow(identity, seconds, listen)
        _write(writer, {"ok": True, "trace": seconds})
        ends = [asyncio.ensure_future(_tell(found, writer)), asyncio.ensure_future(_until_gone(reader))]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._proxy.tracer.stop(identity)
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    def _answer(self, command: object) -> dict[str, Any]:
        action = self._commands.get(command) if isinstance(command, str) else None
        if action is None:
            return {"ok": False, "reason": f"commands are {', '.join(self._commands)}, explain, reload, trace"}
        return {"ok": True, str(command): action()}

    def _peers(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(status) for status in self._node.peers.values()]

    def _describe_feed(self) -> dict[str, Any]:
        feed = self._feed()
        return {} if feed is None else feed.described()

    def _map(self) -> dict[str, Any]:
        identities = self._proxy.identities
        return {
            **identities.counts(),
            "age_s": identities.age_s(time.monotonic()),
            "pending": self._proxy.pending_count,
        }


def _write(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")


async def _read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next line; None where the client has gone.

    Raises:
        TimeoutError: none came.
        _Unreadable: it is no JSON object, or too long.
    """
    try:
        async with asyncio.timeout(IDLE_S):
            line = await reader.readline()
    except ValueError as exc:
        raise _Unreadable(f"a line has {LINE_OCTETS_MAX} octets at most") from exc
    if not line:
        return None
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise _Unreadable("a line is a JSON object") from exc
    if not isinstance(asked, dict):
        raise _Unreadable("a line is a JSON object")
    return asked


async def _tell(found: asyncio.Queue[dict[str, Any]], writer: asyncio.StreamWriter) -> None:
    while True:
        await writer.drain()  # who reads slowly, through a pager perhaps, has until the trace ends
        _write(writer, await found.get())


async def _until_gone(reader: asyncio.StreamReader) -> None:
    """Wait until the client goes; what it says meanwhile is not heard."""
    while await reader.read(LINE_OCTETS_MAX):
        pass


async def _see_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a client that is still sending read what it was told: a close at once would be an error to it."""
    writer.write_eof()
    async with asyncio.timeout(SEE_OFF_S):
        await _until_gone(reader)


def follow(path: Path, identity: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what a running proxy tells of an identity, until the time is over.

    Raises:
        AdminError: nobody answers there, or not with yes.
    """
    asked = json.dumps({"command": "trace", "identity": identity, "seconds": seconds}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds + ASK_S)
            connection.connect(str(path))
            connection.sendall(asked)
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline(ANSWER_OCTETS_MAX))
                if not answer.get("ok"):
                    raise AdminError(f"{path}: {answer.get('reason')}")
                for line in file:
                    yield json.loads(line)
    except (OSError, ValueError) as exc:
        raise AdminError(f"{path}: {exc}; {HINT}") from exc


def ask(path: Path, command: str, **more: str) -> Any:
    """Return what a running proxy answers to a command.

    Raises:
        AdminError: nobody answers there, or not with yes.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ASK_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline(ANSWER_OCTETS_MAX))
    except (OSError, ValueError) as exc:
        raise AdminError(f"{path}: {exc}; {HINT}") from exc
    if not answer.get("ok"):
        raise AdminError(f"{path}: {answer.get('reason')}")
    return answer[command]


def _remove_stale_socket(path: Path) -> None:
    """Take away a socket that nobody listens on any more; a file that is no socket stays, and bind refuses."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            return
