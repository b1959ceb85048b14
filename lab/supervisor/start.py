"""Programs started in the order of what they need, the slowest chain first: all share the machine's processors."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from lab.render.program import Program
from lab.supervisor.process import HostProcess


async def start_programs(
    programs: Sequence[Program],
    processes: Mapping[str, HostProcess],
    ready: Callable[[HostProcess], None],
    deadline_s: float,
) -> None:
    """Start every program and return when all are ready; ``ready`` is told of each as it is.

    A command that several programs need before them runs once.

    Raises:
        ProgramFailure: one did not start; the others are left as they are, and nothing more is started.
    """
    prepared: dict[tuple[str, ...], asyncio.Task[None]] = {}

    async def start(program: Program) -> None:
        process = processes[program.host]
        for need in program.needs:
            await processes[need].listening.wait()
        for argv in program.before:
            if argv not in prepared:
                prepared[argv] = asyncio.create_task(process.run_before(argv, deadline_s))
            await asyncio.wait([prepared[argv]])
            prepared[argv].result()
        await process.start(deadline_s)
        ready(process)

    # What has a command to run before takes longest: it goes first.
    in_order = sorted(programs, key=lambda program: not program.before)
    tasks = [asyncio.create_task(start(program)) for program in in_order]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:  # where the lab is told to end meanwhile, too: nothing may start while it goes down
        begun = [*tasks, *prepared.values()]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
    for task in done:
        task.result()
