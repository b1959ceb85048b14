"""``ue-agent run``: commands as JSON lines on standard input, events as JSON lines on standard output.

One command at a time, the others wait in order; each is answered by exactly one ``done``.  ``stop`` takes its turn;
the end of input lets the waiting commands finish; SIGTERM and SIGINT end at once, and whatever waits is answered
``stopped``.  Either way all stacks end and nothing is de-registered.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

from ue_agent.agent import Agent, Registered
from ue_agent.card import show_card
from ue_agent.commands import (
    LINE_OCTETS_MAX,
    Answer,
    AnyCommand,
    Authenticate,
    AwaitMedia,
    BadCommand,
    Call,
    CommandId,
    Deregister,
    GetConnectionDetails,
    HangUp,
    IsimCommand,
    Message,
    Refresh,
    Register,
    Status,
    Stop,
    parse_command,
)
from ue_agent.errors import UeError

WAITING_MAX: Final = 1000

Emit = Callable[[dict[str, Any]], None]


async def serve(agent: Agent, emit: Emit, commands: int) -> None:
    """Serve commands from the descriptor ``commands`` until told to end."""
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    working = asyncio.create_task(_work(agent, emit, lines))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    start_reading(commands, lambda line: _offer(loop, lines, line))
    emit({"event": "ready", "listen": []})
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        while not lines.empty():
            _answer_stopped(emit, lines.get_nowait())
        await agent.stop()


async def _work(agent: Agent, emit: Emit, lines: asyncio.Queue[bytes | None]) -> None:
    while (line := await lines.get()) is not None:
        try:
            command = parse_command(line)
        except BadCommand as exc:
            emit(done(exc.id, exc))
            continue
        if isinstance(command, Stop):
            emit(done(command.id, {}))
            return
        try:
            emit(done(command.id, await carry_out(agent, command)))
        except UeError as exc:
            emit(done(command.id, exc))
        except asyncio.CancelledError:
            emit(done(command.id, UeError("stopped")))
            raise


async def carry_out(agent: Agent, command: AnyCommand) -> dict[str, Any]:
    """Carry out one command and return the members of its ``done``.

    Raises:
        UeError: it failed.
    """
    match command:
        case Authenticate():
            return await agent.authenticate(command.system, command.flow)
        case GetConnectionDetails():
            details = await agent.get_connection_details(command.partner, command.location)
            return {
                "partner_mc_system": details.partner_mc_system,
                "identities": details.partner_mc_system_sip_identities.model_dump(mode="json"),
                "valid_until": details.valid_until.isoformat(),
            }
        case Register():
            return registered_to_json(
                await agent.register(command.system, command.expires, command.service_authorisation)
            )
        case Refresh():
            return registered_to_json(await agent.refresh(command.system))
        case Deregister():
            return registered_to_json(await agent.deregister(command.system))
        case Message():
            status, reason = await agent.send_message(command.system, command.to, command.text)
            return {"status": status, "reason": reason}
        case Call() | Answer() | AwaitMedia() | HangUp():
            return await _carry_out_of_call(agent, command)
        case IsimCommand():
            if command.sqn is not None:
                agent.set_sqn(command.sqn)
            return show_card(agent.responder.isim)
        case Status():
            return agent.status()
        case Stop():
            return {}


async def _carry_out_of_call(agent: Agent, command: Call | Answer | AwaitMedia | HangUp) -> dict[str, Any]:
    match command:
        case Call():
            await agent.call(command.system, command.to, command.ring)
            return {"status": 200}
        case Answer():
            await agent.answer(command.system, command.status)
            return {"status": command.status}
        case AwaitMedia():
            return dataclasses.asdict(await agent.await_media(command.system, command.packets, command.within))
        case HangUp():
            return dataclasses.asdict(await agent.hang_up(command.system))


def registered_to_json(registered: Registered) -> dict[str, Any]:
    """Return the end of a REGISTER as ``done`` has it."""
    said = dataclasses.asdict(registered.registration)
    return {
        "status": said["status"],
        "reason": said["reason"],
        "expires": said["expires_s"],
        "seconds": round(registered.seconds, 6),
        "public_user_identities": list(said["public_user_identities"]),
    }


def done(id_: CommandId, result: dict[str, Any] | UeError) -> dict[str, Any]:
    """Return the ``done`` event of a command."""
    if isinstance(result, UeError):
        return {"event": "done", "id": id_, "ok": False, **result.members()}
    return {"event": "done", "id": id_, "ok": True, **result}


def _answer_stopped(emit: Emit, line: bytes | None) -> None:
    if line is None:
        return
    try:
        emit(done(parse_command(line).id, UeError("stopped")))
    except BadCommand as exc:
        emit(done(exc.id, exc))


def _offer(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None], line: bytes | None) -> bool:
    """Put a line into the queue from the reading thread; False when the loop is gone."""
    room = threading.Event()

    def put() -> None:
        if line is None or lines.qsize() < WAITING_MAX:
            lines.put_nowait(line)
            room.set()
        else:
            loop.call_later(0.05, put)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(put)
        return line is None or room.wait()
    return False


def start_reading(descriptor: int, offer: Callable[[bytes | None], bool]) -> None:
    """Read lines on a thread of their own: a terminal, a pipe and a file alike; None is the end."""
    threading.Thread(target=_read, args=(descriptor, offer), daemon=True).start()


def _read(descriptor: int, offer: Callable[[bytes | None], bool]) -> None:
    rest = b""
    while octets := os.read(descriptor, 65536):
        *lines, rest = (rest + octets).split(b"\n")
        rest = rest[: LINE_OCTETS_MAX + 1]  # an endless line is cut; parse_command refuses it for its length
        if not all(offer(line) for line in lines if line.strip()):
            return
    if rest.strip():
        offer(rest)
    offer(None)


def emit_to_stdout(event: dict[str, Any]) -> None:
    """Write an event as one line; a reader that is gone is no matter here: its end of our input ends us."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(event).encode() + b"\n")
