"""The admin socket: a Unix stream socket, mode 0600, that answers a line of JSON with a line of JSON.

``{"command": "peers"}`` and ``{"command": "map"}``; the command line asks here.  It shows no identities.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.node.node import Node
from diameter_proxy.proxy import Proxy

LINE_OCTETS_MAX: Final = 4096
ANSWER_OCTETS_MAX: Final = 1 << 24
IDLE_S: Final = 30.0
ASK_S: Final = 5.0


class AdminError(Exception):
    """The proxy's admin socket cannot be reached, or said no."""


class AdminSocket:
    """Answers questions about the running proxy."""

    def __init__(self, path: Path, proxy: Proxy, node: Node, feed: FeedStatus | None = None) -> None:
        self._path: Final = path
        self._proxy: Final = proxy
        self._node: Final = node
        self._feed: Final = feed
        self._server: asyncio.Server | None = None
        self._commands: Final[Mapping[str, Callable[[], Any]]] = {
            "peers": self._peers,
            "map": self._map,
            "feed": self._describe_feed,
        }

    async def start(self) -> None:
        """Listen; a socket that a dead process left is replaced.

        Raises:
            OSError: the path cannot be bound.
        """
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        listening = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listening.bind(str(self._path))
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
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            while True:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
                if not line:
                    break
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command = json.loads(line)["command"]
            answer = self._commands[command]()
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "reason": f"commands are {', '.join(self._commands)}"}
        return {"ok": True, command: answer}

    def _peers(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(status) for status in self._node.peers.values()]

    def _describe_feed(self) -> dict[str, Any]:
        return {} if self._feed is None else self._feed.described()

    def _map(self) -> dict[str, Any]:
        identities = self._proxy.identities
        return {
            **identities.counts(),
            "age_s": identities.age_s(time.monotonic()),
            "pending": self._proxy.pending_count,
        }


def ask(path: Path, command: str) -> Any:
    """Return what a running proxy answers to a command.

    Raises:
        AdminError: nobody answers there, or not with yes.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ASK_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline(ANSWER_OCTETS_MAX))
    except (OSError, ValueError) as exc:
        raise AdminError(f"{path}: {exc}") from exc
    if not answer.get("ok"):
        raise AdminError(f"{path}: {answer.get('reason')}")
    return answer[command]
