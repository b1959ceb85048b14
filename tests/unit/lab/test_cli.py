"""The command line of the lab: help that teaches, exit 2 for misuse, one line of error."""

import json
import os

import pytest
from typer.testing import CliRunner

from lab.cli import app

RUNNER = CliRunner()


@pytest.mark.parametrize(
    "command",
    ["up", "down", "status", "scenarios", "run", "verify", "report", "tell", "move", "doctor", "compare", "base-image"],
)
def test_every_command_explains_itself(command: str) -> None:
    assert RUNNER.invoke(app, [command, "--help"]).exit_code == 0


def test_scenarios_are_listed_for_people_and_for_scripts() -> None:
    assert "migration " in RUNNER.invoke(app, ["scenarios"]).stdout
    listed = json.loads(RUNNER.invoke(app, ["scenarios", "--json"]).stdout)["scenarios"]
    assert {"name", "what", "proves", "absent", "checks"} <= set(listed[0])


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = RUNNER.invoke(app, ["up"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: the lab needs root: sudo mclab")


def test_a_directory_that_is_no_run_is_one_line() -> None:
    result = RUNNER.invoke(app, ["verify", "/nowhere"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
