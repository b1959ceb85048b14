"""The container engine of this machine: podman, set up by ``lab/images/containers.conf``.

Every call of it is here.  A container carries its lab's id as a label: it is found by that when the
lab's supervisor is dead.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.runtime.runtime import RuntimeFailure

PODMAN: Final = "podman"
SETTINGS: Final = Path(__file__).resolve().parents[1] / "images" / "containers.conf"
LABEL: Final = "mclab"
ANSWER_S: Final = 30.0
SET_UP: Final = "packaging/set-up.sh --packages-only containers"


def engine_command(*arguments: str) -> list[str]:
    """Return a command of the engine, with the lab's settings."""
    return ["env", f"CONTAINERS_CONF={SETTINGS}", PODMAN, *arguments]


async def engine(*arguments: str) -> str:
    """Have the engine do something and return what it says.

    Raises:
        RuntimeFailure: it is not installed, or refuses.
    """
    require_engine()
    process = await asyncio.create_subprocess_exec(
        *engine_command(*arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise RuntimeFailure(refusal(arguments, err.decode(errors="replace"), process.returncode))
    return out.decode()


def require_engine() -> None:
    """Make sure that the engine is there.

    Raises:
        RuntimeFailure: it is not installed.
    """
    if shutil.which(PODMAN) is None:
        raise RuntimeFailure(f"no container engine: {PODMAN} is not installed; {SET_UP} installs it")


def ask_engine(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Return what the engine says to a question, and with which exit status; a question takes no time.

    Raises:
        RuntimeFailure: it does not answer.
    """
    try:
        return subprocess.run(
            engine_command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise RuntimeFailure(out_of_order(arguments, f"no answer in {ANSWER_S:g} s")) from exc


def out_of_order(arguments: Sequence[str], said: str, status: int | None = None) -> str:
    """Return in one line that the engine does not even answer a question, and what to do."""
    return f"{refusal(arguments, said, status)}; see what {PODMAN} info says, {SET_UP} sets it up"


def refusal(arguments: Sequence[str], said: str, status: int | None) -> str:
    """Return in one line why the engine did not do it."""
    lines = [line for line in said.strip().splitlines() if "level=warning" not in line]
    reason = lines[-1].removeprefix("Error: ") if lines else f"exit {status}"
    return f"{PODMAN} {arguments[0]}: {reason}"


def containers_of(lab_id: str = "") -> dict[str, str]:
    """Return the containers of a lab, or of all labs, by name, each with its lab; none where there is no engine.

    Raises:
        RuntimeFailure: it does not answer.
    """
    if shutil.which(PODMAN) is None or os.geteuid() != 0:
        return {}
    wanted = f"label={LABEL}={lab_id}" if lab_id else f"label={LABEL}"
    shown = f'{{{{.Names}}}} {{{{index .Labels "{LABEL}"}}}}'
    listed = ask_engine("ps", "--all", "--filter", wanted, "--format", shown)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


async def remove_containers(lab_id: str) -> None:
    """End and remove the containers of a lab, those that are half made too.

    Raises:
        RuntimeFailure: the engine refuses.
    """
    names = await asyncio.to_thread(containers_of, lab_id)
    if names:
        await engine("rm", "--force", "--ignore", "--time", "0", *names)
