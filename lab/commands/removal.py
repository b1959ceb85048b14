"""What a dead supervisor leaves of a lab, removed: programs, containers, namespaces, small disks, its socket."""

import asyncio
import shutil

from lab import traces
from lab.commands.errors import Failure
from lab.render.files import SOCKETS
from lab.runtime.engine import remove_containers
from lab.runtime.netns import remove_lab
from lab.runtime.runtime import RuntimeFailure
from lab.supervisor import client


def remove_what_is_left(lab_id: str) -> None:
    """Remove a lab whose supervisor is dead; what is not there is no error.

    Raises:
        Failure: the machine or the engine refuses.
    """
    try:
        asyncio.run(_remove(lab_id))
    except RuntimeFailure as exc:
        raise Failure(str(exc)) from exc
    for left in traces.processes_of_lab(lab_id):
        client.end_for_good(left)
    shutil.rmtree(SOCKETS / lab_id, ignore_errors=True)
    if SOCKETS.is_dir() and not any(SOCKETS.iterdir()):
        SOCKETS.rmdir()


async def _remove(lab_id: str) -> None:
    try:
        await remove_containers(lab_id)
    finally:  # an engine that does not answer keeps its containers, not our namespaces
        await remove_lab(lab_id)
