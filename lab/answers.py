"""How ``mclab`` answers: results on standard output, one line of error and its exit status, words for people."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from lab.commands.errors import Failure, Misuse
from lab.interruption import Told, exit_status


@contextmanager
def errors(interrupted: str = "interrupted") -> Iterator[None]:
    """One line of error, exit 1, 2, or 130 after Ctrl-C, no traceback; ``interrupted`` is what to say then."""
    try:
        yield
    except Misuse as exc:
        fail(str(exc), 2)
    except Failure as exc:
        fail(str(exc), 1)
    except KeyboardInterrupt as exc:
        say(f"error: {interrupted}")
        raise Told(exit_status(exc)) from None


def need_root() -> None:
    """Exit 2 where the caller is not root; the line to copy has a path, for sudo does not look in ``.venv/bin``."""
    if os.geteuid() != 0:
        fail(f"the lab needs root: sudo {shlex.join([str(Path(sys.argv[0]).absolute()), *sys.argv[1:]])}", 2)


def fail(reason: str, status: int) -> NoReturn:
    """Print one line of error and exit."""
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(status)


def say(text: str) -> None:
    """Tell people: standard error."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(value, indent=2, default=str))
