"""Faults of a lab that is up: begun, ended, listed."""

from typing import Any

from lab.commands.errors import Misuse
from lab.commands.labs import change
from lab.faults.fault import KINDS


def begin(lab_id: str | None, fault: dict[str, Any]) -> str:
    """Make a fault and return it in words.

    Raises:
        Misuse: no such lab, or no such fault.
        Failure: the lab cannot have it.
    """
    if fault["kind"] not in KINDS:
        raise Misuse(f"no fault {fault['kind']}; there are {', '.join(KINDS)}")
    return str(change(lab_id, {"command": "begin-fault", "fault": fault})["began"])


def end(lab_id: str | None, kind: str | None, target: str | None) -> list[str]:
    """Mend one fault, or all where none is named; return them in words.

    Raises:
        Misuse: no such lab, or a kind without a target.
        Failure: there is no such fault, or a program does not get ready again.
    """
    if kind is None:
        return list(change(lab_id, {"command": "end-faults"})["ended"])
    if target is None:
        raise Misuse(f"{kind} of what? mclab fault list shows kind and target; without both, every fault ends")
    return list(change(lab_id, {"command": "end-fault", "kind": kind, "target": target})["ended"])


def active(lab_id: str | None) -> list[dict[str, Any]]:
    """Return the faults that there are now.

    Raises:
        Misuse: no such lab.
        Failure: its supervisor does not answer.
    """
    return list(change(lab_id, {"command": "status"})["faults"])


def kinds() -> list[dict[str, str]]:
    """Return every kind of fault, what it needs and what it does."""
    return [
        {
            "kind": name,
            "target": kind.where,
            "options": " ".join(
                [
                    *(f"--{member.replace('_', '-')} N" for member in kind.needs),
                    *(f"[--{member.replace('_', '-')} N]" for member in kind.may_have),
                ]
            ),
            "what": kind.what,
        }
        for name, kind in KINDS.items()
    ]
