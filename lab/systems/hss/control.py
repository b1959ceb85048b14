"""The control socket: one JSON object a line in, one line out, on a Unix socket of the operator's own.

    {"command": "rtr", "private_user_identity": "...", "public_user_identities": [...], "reason": 0}
    {"command": "mode", "mode": "after-uar"}
    {"command": "sequence-number", "user": "alice", "sqn_he": 0}     a lab's fault: as after an old backup
    {"command": "answers", "silent": true}     a lab's fault: requests are taken, none is answered
    {"command": "answers", "after_s": 0.5}     a lab's fault: each answer comes so much later
    {"command": "status"}

Every answer has ``ok``; a refused one has ``error``. What the commands do is in ``program``.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from json import dumps
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from lab.systems.hss.config import Mode, Table

LINE_OCTETS_MAX: Final = 1 << 16
Reply = dict[str, object]


class RtrCommand(Table):
    """Terminate a registration; without public identities the whole set is named."""

    command: Literal["rtr"]
    private_user_identity: str = Field(max_length=255)
    public_user_identities: tuple[str, ...] = Field((), max_length=16)
    reason: int = Field(0, ge=0, le=3)
    reason_info: str = Field("", max_length=255)


class ModeCommand(Table):
    """Behave otherwise from now on."""

    command: Literal["mode"]
    mode: Mode


class SequenceNumberCommand(Table):
    """Set a subscriber's SQN."""

    command: Literal["sequence-number"]
    user: str
    sqn_he: int = Field(ge=0, le=(1 << 48) - 1)


class AnswersCommand(Table):
    """Answer nothing, or each request so much later; with neither, as ever."""

    command: Literal["answers"]
    silent: bool = False
    after_s: float = Field(0.0, ge=0, le=60)


class StatusCommand(Table):
    """Tell peers, counts and registrations."""

    command: Literal["status"]


Command = RtrCommand | ModeCommand | SequenceNumberCommand | AnswersCommand | StatusCommand
_COMMAND: Final[TypeAdapter[Command]] = TypeAdapter(Annotated[Command, Field(discriminator="command")])
Handler = Callable[[Command], Awaitable[Reply]]


async def serve_control(path: Path, handle: Handler) -> asyncio.Server:
    """Listen at ``path``, in place of what an earlier run left there; only the owner may connect.

    Raises:
        OSError: the path is too long, or not ours to write.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(dumps(await answer_line(line, handle)).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line over the limit, or a client that left: nobody to answer
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, sock=_bound_socket(path), limit=LINE_OCTETS_MAX)


async def answer_line(line: bytes, handle: Handler) -> Reply:
    """Return the reply to one line; a line that is no command is a reply too."""
    try:
        command = _COMMAND.validate_json(line)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        return {"ok": False, "error": f"{where}: {error['msg']}" if where else error["msg"]}
    return await handle(command)


def _bound_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except OSError:
        bound.close()
        raise
    return bound
