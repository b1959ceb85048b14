"""The supervisor of one lab, a process of its own: brings it up, runs a scenario in it, answers, takes it down.

Standard output tells what happens, one JSON object a line.  Tied to whoever started it, it takes the lab down when its
standard input ends; told ``stay`` there, it serves its Unix socket until told to go ``down`` or ended by a signal.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lab.attach.config import AttachError
from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime.choice import RUNTIMES, runtime_named
from lab.scenarios.library import UnknownScenario, scenario_named
from lab.scenarios.model import Scenario
from lab.scenarios.orders import scenario_of_order
from lab.scenarios.record import environment, run_facts
from lab.scenarios.runner import Runner, StepFailed
from lab.supervisor.control import STAY, ControlServer
from lab.supervisor.lab import Lab, UpFailed
from lab.supervisor.timeline import Timeline
from lab.topology import DEFAULT_FILE, Topology, TopologyError, load_topology

TOLD_TO_END: Final = "the lab was taken down before its work was done"
NO_SCENARIO: Final = Scenario(name="up", what="A lab to work in: nothing is done by itself.", steps=())


def main() -> None:
    """Run the supervisor; exit 0 when all went as asked, else 1."""
    options = _options()
    # A program that dies must not leave its memory, keys and all, outside the run directory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        scenario, topology = _plan(options)
    except (TopologyError, UnknownScenario, AttachError) as exc:
        _tell({"event": "failed", "reason": str(exc)})
        raise SystemExit(1) from None
    files = Files(RunDirectory(options.directory), options.lab_id)
    files.run.make()
    raise SystemExit(asyncio.run(_supervise(options, scenario, topology, files)))


async def _supervise(options: argparse.Namespace, scenario: Scenario, topology: Topology, files: Files) -> int:
    timeline = Timeline(files.run.timeline, _tell)
    runtime = runtime_named(options.runtime, topology, files)
    lab = Lab(topology, runtime, files, timeline)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_work(options, scenario, lab, stop))
    stopping = asyncio.create_task(_stopped(stop))
    try:
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            _tell({"event": "failed", "reason": TOLD_TO_END})
    finally:
        for task in (work, stopping):
            task.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        outcome = (await asyncio.gather(work, return_exceptions=True))[0]
        await lab.down()
        timeline.close()
        files.run.give_to_caller()
    if isinstance(outcome, asyncio.CancelledError):
        return 1
    if isinstance(outcome, BaseException):
        raise outcome
    return int(outcome)


async def _work(options: argparse.Namespace, scenario: Scenario, lab: Lab, stop: asyncio.Event) -> int:
    """Bring the lab up, run the scenario, and stay while asked to; return the exit status."""
    facts = run_facts(lab.topology, scenario, lab.files)
    lab.files.run.write_run(facts)
    try:
        await lab.up()
    except UpFailed as exc:
        _tell({"event": "failed", "reason": str(exc)})
        return 1
    status = 0
    async with ControlServer(lab, stop):
        if scenario is not NO_SCENARIO:
            status = await _run_scenario(scenario, lab, facts)
        else:
            lab.files.run.write_run(facts | {"environment": await asyncio.to_thread(environment, lab.runtime.name)})
        if options.keep or scenario is NO_SCENARIO:
            await lab.faults.end_all()
            _tell({"event": "kept", "lab": lab.files.lab_id})
            _let_go_of_standard_output()
            await stop.wait()
    return status


async def _run_scenario(scenario: Scenario, lab: Lab, facts: dict[str, Any]) -> int:
    failure = None
    try:
        await Runner(lab).run(scenario.steps)
    except StepFailed as exc:
        failure = str(exc)
    # Both take their time, and neither a processor: side by side.
    made_with, _ = await asyncio.gather(asyncio.to_thread(environment, lab.runtime.name), lab.finish_capture())
    ending = {"completed": failure is None, "failure": failure, "ended_programs": lab.unexpected}
    lab.files.run.write_run(facts | ending | {"environment": made_with})
    if failure is not None:
        _tell({"event": "failed", "reason": failure})
        return 1
    if lab.unexpected:
        _tell({"event": "failed", "reason": "; ".join(lab.unexpected)})
        return 1
    _tell({"event": "completed"})
    return 0


async def _stopped(stop: asyncio.Event) -> None:
    """Return when a signal came, or when whoever started us has gone without a word that we are to stay."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gone = asyncio.create_task(reader.read())
    told = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([gone, told], return_when=asyncio.FIRST_COMPLETED)
    if gone in done and gone.result() == STAY:
        await stop.wait()
    for task in (gone, told):
        task.cancel()


def _plan(options: argparse.Namespace) -> tuple[Scenario, Topology]:
    scenario = _scenario(options)
    systems = tuple(options.system) or scenario.systems
    ues = scenario.ues if scenario is not NO_SCENARIO else None
    topology = load_topology(options.topology, scenario.settings).restricted_to(systems, ues)
    return scenario, topology


def _scenario(options: argparse.Namespace) -> Scenario:
    if options.order:
        return scenario_of_order(options.order)
    return scenario_named(options.scenario) if options.scenario else NO_SCENARIO


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.supervisor", description=__doc__)
    parser.add_argument("--lab-id", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--topology", type=Path, default=DEFAULT_FILE)
    parser.add_argument("--system", action="append", default=[])
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0])
    parser.add_argument("--scenario", default="")
    parser.add_argument("--order", default="", help="a storm or a drill as JSON, in place of a scenario")
    parser.add_argument("--keep", action="store_true", help="stay up when the scenario is through")
    return parser.parse_args()


def _tell(event: Mapping[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(json.dumps(event, default=str), flush=True)


def _let_go_of_standard_output() -> None:
    """Whoever reads it sees the end; what is told later goes to the timeline only."""
    with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a device, not a path of ours
        os.dup2(nothing.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    main()
