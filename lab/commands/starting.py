"""A supervisor started for a lab of its own, in a run directory of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.commands.errors import Failure, Misuse
from lab.commands.progress import Say
from lab.run_directory import last_lines
from lab.supervisor.client import Supervisor

LOG_LINES: Final = 12
DEFAULT_SYSTEMS: Final = ("mc1", "mc2")


def check_topology(
    topology: Path | None, systems: tuple[str, ...], ues: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Read a topology as the lab will, and return the systems to bring up where none is named.

    Those of a lab to work in are ``DEFAULT_SYSTEMS``; of a topology that has not both of them they are all that it has.

    Raises:
        Misuse: it cannot be used, or has no such systems or UEs.
    """
    from lab.topology import TopologyError, load_topology

    try:
        whole = load_topology(topology) if topology else load_topology()
        chosen = systems or tuple(whole.systems)
        whole.restricted_to(chosen, ues)
    except TopologyError as exc:
        raise Misuse(str(exc)) from exc
    return systems if set(DEFAULT_SYSTEMS) <= set(chosen) else chosen


def prepare_runtime(runtime: str, say: Say) -> None:
    """Make what a runtime needs before the first lab: the images of containers, where they are not up to date.

    Raises:
        Failure: it cannot be made.
    """
    if runtime != "containers":
        return
    from lab.runtime.images import make_images
    from lab.runtime.runtime import RuntimeFailure

    try:
        make_images(say)
    except RuntimeFailure as exc:
        raise Failure(str(exc)) from exc


def supervisor_options(lab_id: str, run: Path, topology: Path | None, runtime: str = "netns") -> list[str]:
    """Return what every supervisor is told."""
    options = ["--lab-id", lab_id, "--directory", str(run), "--runtime", runtime]
    return [*options, "--topology", str(topology.absolute())] if topology else options


@contextmanager
def supervised(options: list[str], run: Path, say: Say) -> Iterator[Supervisor]:
    """Yield a supervisor that has just started; its lab is down afterwards, however that comes, unless it is to stay.

    Raises:
        Misuse: the run directory has something in it, or cannot be made.
        Failure: the lab's supervisor hung, and what it left cannot be removed.
    """
    supervisor = _start(options, run)
    try:
        yield supervisor
    except KeyboardInterrupt:
        say("interrupted: taking the lab down")
        raise
    finally:
        if not supervisor.is_to_stay:
            _end(supervisor)
        if supervisor.was_killed:
            _remove_rest(options[options.index("--lab-id") + 1], say)


def _end(supervisor: Supervisor) -> None:
    supervisor.let_go()
    try:
        supervisor.end()
    except KeyboardInterrupt:  # the first one only now: the lab goes down all the same, and is waited for
        supervisor.end()
        raise


def _start(options: list[str], run: Path) -> Supervisor:
    if run.is_dir() and any(run.iterdir()):
        raise Misuse(f"{run}: not empty; a run has a directory of its own")
    try:
        (run / "log").mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Misuse(f"{run}: {exc.strerror}") from exc
    return Supervisor(options, run / "log" / "supervisor.log")


def _remove_rest(lab_id: str, say: Say) -> None:
    from lab.commands.removal import remove_what_is_left

    say(f"lab {lab_id}: its supervisor hung and was killed, removing what it left")
    remove_what_is_left(lab_id)


def supervisor_log(run: Path) -> str:
    """Return what to say of a supervisor that ended before its work was done."""
    shown = last_lines(run / "log" / "supervisor.log", LOG_LINES)
    return "\n".join(["the supervisor ended before its work was done", *(f"  {line}" for line in shown)])
