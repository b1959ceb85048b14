"""The command line's own work: help, exit codes, one line for a failure."""

import pytest
from typer.testing import CliRunner

from ue_agent.cli import _one_line, app

COMMANDS = ["check", "run", "isim", "register", "migrate", "return-home"]


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0 and all(command in shown.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_wants_a_file(command) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert CliRunner().invoke(app, [command]).exit_code == 2


@pytest.mark.parametrize(
    ("details", "line"),
    [
        ({"reason": "no"}, "no"),
        ({"reason": "Forbidden", "status": 403}, "403: Forbidden"),
        ({"reason": "T", "status": 403, "detail": "d", "step": "10.1.X.1-2"}, "403: T: d: step 10.1.X.1-2"),
        ({"reason": "T", "status": 0, "detail": "", "step": None}, "T"),
    ],
)
def test_a_failure_is_one_line(details, line) -> None:
    assert _one_line(details) == line
