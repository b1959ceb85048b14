"""What people see on standard error while a lab comes up and a scenario runs."""

from collections.abc import Callable
from typing import Any

Say = Callable[[str], None]


def show_event(event: dict[str, Any], say: Say) -> None:
    """Say what the supervisor tells, as far as people want to know it."""
    name, after = event["event"], event.get("after_s")
    lead = f"{after:7.2f} s  " if isinstance(after, float | int) else "           "
    if name == "lab.retried":
        say(f"{lead}retried: {event['reason']}")
    elif name in ("lab.up", "hosts.made", "lab.down", "capture.stopped"):
        say(f"{lead}{name}")
    elif name == "step.done":
        status = event.get("outcome", {}).get("status")
        say(f"{lead}{event['number']:>2} {event['step']}{f' {status}' if status else ''}")
    elif name == "program.crashed":
        say(f"{lead}{name} {event['host']}: Kamailio died of a signal in its start, and is started once more")
    elif name in ("program.ended", "program.killed", "program.paused", "program.resumed"):
        say(f"{lead}{name} {event['host']}")
