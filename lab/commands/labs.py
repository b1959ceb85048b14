"""Labs that live: brought up, asked, changed, taken down."""

import json
from pathlib import Path
from typing import Any

from lab.commands.errors import Failure, Misuse
from lab.commands.progress import Say, show_event
from lab.commands.starting import (
    check_topology,
    prepare_runtime,
    supervised,
    supervisor_log,
    supervisor_options,
)
from lab.run_directory import new_lab_id, new_run_path
from lab.runtime.marks import lab_ids, namespaces_of
from lab.supervisor import client
from lab.supervisor.client import NoSupervisor


def up(
    topology: Path | None, systems: tuple[str, ...], directory: Path | None, say: Say, runtime: str = "netns"
) -> dict[str, Any]:
    """Bring a lab up and leave it; return its id and run directory.

    Raises:
        Misuse: the topology cannot be used.
        Failure: the lab does not come up.
    """
    if topology is not None or systems:  # the lab's own, whole, is known to be good
        systems = check_topology(topology, systems)
    prepare_runtime(runtime, say)
    lab_id = new_lab_id()
    run = (directory or new_run_path("up", lab_id)).absolute()
    options = supervisor_options(lab_id, run, topology, runtime)
    for system in systems:
        options += ["--system", system]
    with supervised(options, run, say) as supervisor:
        for event in supervisor.events():
            show_event(event, say)
            if event["event"] == "failed":
                raise Failure(event["reason"])
            if event["event"] == "kept":
                supervisor.stay()
                return {"lab": lab_id, "run": str(run)}
    raise Failure(supervisor_log(run))


def down(lab_id: str | None, *, every: bool, say: Say) -> list[str]:
    """Take labs down, those with a dead supervisor too; return their ids.

    Raises:
        Misuse: there are several and none is named, or there is no such lab.
        Failure: one of them does not go.
    """
    there = _labs()
    if lab_id is not None and lab_id not in there:
        raise Misuse(f"there is no lab {lab_id}" + (f"; there are {', '.join(there)}" if there else ""))
    if lab_id is None and not every and len(there) > 1:
        raise Misuse(f"which of {', '.join(there)}? mclab down LAB, or --all")
    gone = [lab_id] if lab_id is not None else there
    for one in gone:
        _take_down(one, say)
    return gone


def status(lab_id: str | None) -> list[dict[str, Any]]:
    """Return what each lab runs.

    Raises:
        Misuse: there is no such lab.
    """
    there = _labs()
    if lab_id is not None and lab_id not in there:
        raise Misuse(f"there is no lab {lab_id}")
    answers = []
    for one in [lab_id] if lab_id else there:
        try:
            answers.append(client.ask(one, {"command": "status"}))
        except NoSupervisor as exc:
            reason = f"{str(exc).removeprefix(f'lab {one}: ')}; mclab down {one} removes it"
            if client.supervisor_pid(one) is not None:
                reason = "it comes up or goes down just now"
            answers.append({"lab": one, "reason": reason, "hosts": []})
    return answers


def tell(lab_id: str | None, ue: str, command: str, values: tuple[str, ...]) -> dict[str, Any]:
    """Send a command to a UE and return its answer.

    Raises:
        Misuse: no such lab, or a value is not ``name=value``.
        Failure: the UE does not answer.
    """
    request: dict[str, Any] = {"command": command}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise Misuse(f"{value}: wanted name=value")
        request[name] = _json_or_text(text)
    answer = change(lab_id, {"command": "ue", "ue": ue, "values": request})
    return dict(answer["answer"])


def change(lab_id: str | None, request: dict[str, Any]) -> dict[str, Any]:
    """Send one request to a lab's supervisor and return its answer.

    Raises:
        Misuse: no such lab.
        Failure: it refuses, or does not answer.
    """
    there = _labs()
    if lab_id is None and len(there) == 1:
        lab_id = there[0]
    if lab_id not in there:
        raise Misuse(f"which of {', '.join(there)}? --lab LAB" if there else "there is no lab; mclab up makes one")
    try:
        answer = client.ask(lab_id, request)
    except NoSupervisor as exc:
        raise Failure(str(exc)) from exc
    if not answer.get("ok"):
        raise Failure(str(answer.get("reason")))
    return answer


def _labs() -> list[str]:
    return sorted({*client.supervised_labs(), *lab_ids()})


def _take_down(lab_id: str, say: Say) -> None:
    pid = client.supervisor_pid(lab_id)
    if pid is not None:
        try:
            client.ask(lab_id, {"command": "down"})
        except NoSupervisor:
            say(f"lab {lab_id}: it comes up just now, or hangs; told to end")
            client.tell_to_end(pid)
        if not client.wait_until_gone(pid):
            client.end_for_good(pid)
        elif not namespaces_of(lab_id):
            return
    say(f"lab {lab_id}: its supervisor is dead, removing what it left")
    from lab.commands.removal import remove_what_is_left

    remove_what_is_left(lab_id)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
