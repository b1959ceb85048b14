"""How a HSS of the lab answers: at once, late, or not at all; told over its control socket."""

import asyncio
import json
from pathlib import Path
from typing import Final

from lab.faults.fault import FaultError

ANSWER_S: Final = 5.0


async def answer_as(control: Path, *, silent: bool, after_s: float) -> None:
    """Have a HSS answer nothing, or each request so much later.

    Raises:
        FaultError: it does not take the command.
    """
    command = {"command": "answers", "silent": silent, "after_s": after_s}
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(control)
            writer.write(json.dumps(command).encode() + b"\n")
            line = await reader.readline()
            writer.close()
        reply = json.loads(line)
    except (OSError, TimeoutError, ValueError) as exc:
        raise FaultError(f"{control.name} takes no command: {exc}") from exc
    if not reply.get("ok"):
        raise FaultError(f"{control.name}: {reply.get('error')}")
