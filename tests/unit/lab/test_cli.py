"""The command line of the lab: help that teaches, exit 2 for misuse, one line of error."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lab import cli
from lab.cli import app

RUNNER = CliRunner()


def commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    """Yield every command with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_teaches(words: str) -> None:
    """It says what it does, shows a line to copy, and explains each option."""
    result = RUNNER.invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    command = COMMANDS[words]
    assert f"mclab {words}" in (command.help or "")
    unexplained = [one.name for one in command.params if not getattr(one, "help", None)]
    assert unexplained == []


def test_scenarios_are_listed_for_people_and_for_scripts() -> None:
    assert "migration " in RUNNER.invoke(app, ["scenarios"]).stdout
    listed = json.loads(RUNNER.invoke(app, ["scenarios", "--json"]).stdout)["scenarios"]
    assert {"name", "what", "proves", "absent", "checks"} <= set(listed[0])


def test_help_names_the_table_of_the_file_and_takes_it_for_no_markup() -> None:
    assert "[isim]" in RUNNER.invoke(app, ["doctor", "--help"]).stdout


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line can be copied: sudo looks for no program in a virtual environment, and a shell takes blanks apart."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["/x/.venv/bin/mclab", "tell", "ue1", "message", "text=come here"])
    result = RUNNER.invoke(app, ["up"])
    assert result.exit_code == 2
    assert result.stderr == "error: the lab needs root: sudo /x/.venv/bin/mclab tell ue1 message 'text=come here'\n"


def test_a_directory_that_is_no_run_is_one_line() -> None:
    result = RUNNER.invoke(app, ["verify", "/nowhere"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_ctrl_c_before_a_command_does_anything_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    cli.app.command(name="interrupted-at-once")(interrupted)
    monkeypatch.setattr("sys.argv", ["mclab", "interrupted-at-once"])
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        cli.app.registered_commands.pop()
    assert (ended.value.code, capsys.readouterr().err.strip()) == (130, "error: interrupted")
