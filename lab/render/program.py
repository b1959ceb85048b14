"""What a host runs, as a value: the supervisor starts it, and what it needs first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Program:
    """What runs on a host.

    Attributes:
        host: where.
        argv: the program; ``before`` are commands that must have ended well, each run once in a lab.
        needs: hosts whose programs must accept connections first.
        ready: where its line ``{"event":"ready"...}`` comes: standard output, or the log on standard error.
        mark: what a foreign program's log says when it is ready; else it is our line.
        environment: variables of its own, beside those that every program of a lab has.
        commands: it takes commands on standard input (a UE).
    """

    host: str
    argv: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    needs: tuple[str, ...] = ()
    ready: Literal["stdout", "log"] = "stdout"
    mark: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: bool = False
