"""``mclab attach``: our servers, proxies and UE at an IMS core that is not the lab's: pre-flight, then a migration."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.attach.config import AttachError, Attachment, load_attachment
from lab.attach.preflight import PreflightFinding
from lab.commands.errors import Failure, Misuse
from lab.commands.outcome import RunOutcome
from lab.commands.progress import Say, show_event
from lab.commands.starting import supervised, supervisor_log, supervisor_options
from lab.run_directory import RunDirectory, new_lab_id, new_run_path
from lab.scenarios.orders import AttachOrder


@dataclass(slots=True)
class AttachOutcome:
    """What was found before the flight, and the verdict on it."""

    run: RunOutcome
    checked_only: bool
    findings: list[PreflightFinding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every check holds, and the capture proves the migration where there was one."""
        is_clear = bool(self.findings) and all(one.ok for one in self.findings)
        return is_clear and not self.run.reason and (self.checked_only or self.run.passed)

    def as_json(self) -> dict[str, Any]:
        """Return both."""
        return {
            **({} if self.checked_only else self.run.as_json()),
            "run": str(self.run.run),
            "verdict": "pass" if self.passed else "fail",
            "failure": self.run.reason or None,
            "preflight": [one.as_json() for one in self.findings],
        }


def attach(file: Path, directory: Path | None, say: Say, *, check: bool, show: bool) -> AttachOutcome:
    """Attach to the core that a file describes; ``check`` ends after the pre-flight.

    Raises:
        Misuse: the file cannot be used here, or the run directory has something in it.
    """
    try:
        _need_uplink(load_attachment(file), file.name)
    except AttachError as exc:
        raise Misuse(str(exc)) from exc
    lab_id = new_lab_id()
    outcome = AttachOutcome(RunOutcome("attach", (directory or new_run_path("attach", lab_id)).absolute()), check)
    order = AttachOrder(kind="attach", file=file.absolute(), check=check)
    run = outcome.run.run
    options = [*supervisor_options(lab_id, run, None), "--order", order.model_dump_json()]
    completed = False
    try:
        with supervised(options, run, say) as supervisor:
            say(f"attach: {run}")
            for event in supervisor.events():
                completed |= event["event"] == "completed"
                _take(event, outcome, say, show=show)
    finally:
        RunDirectory(run).give_to_caller()
    if not completed and not outcome.run.reason:
        outcome.run.reason = supervisor_log(run)
    if outcome.run.reason:
        say(f"error: {outcome.run.reason}")
    return outcome


def _need_uplink(attachment: Attachment, file: str) -> None:
    uplink = attachment.uplink
    if uplink.namespace is not None:
        return
    what, name = ("interface", uplink.interface) if uplink.interface else ("bridge", uplink.bridge)
    there = [known for _, known in socket.if_nameindex()]
    if name not in there:
        raise Misuse(f"{file}: uplink.{what}: this machine has no {name}; it has {', '.join(there)}")


def _take(event: dict[str, Any], outcome: AttachOutcome, say: Say, *, show: bool) -> None:
    match event["event"]:
        case "preflight.done":
            outcome.findings = [PreflightFinding(**one) for one in event["findings"]]
            for one in outcome.findings:
                say(one.line())
        case "failed":
            outcome.run.reason = event["reason"]
        case "completed" if not outcome.checked_only:
            _judge(outcome.run, show=show)
        case _:
            show_event(event, say)


def _judge(outcome: RunOutcome, *, show: bool) -> None:
    from lab.commands.verdicts import judge_run  # what judging takes would make the lab start later

    try:
        judge_run(outcome, show=show)
    except Failure as exc:
        outcome.reason = str(exc)
