"""The administrator's commands: misuse is one line and exit code 2; the help teaches."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mmserver.migration.cli import app
from mmserver.migration.cli_admin import COMMANDS, _quoted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["withdraw"], "wanted a BINDING, or --partner"),
        (["withdraw", "b-1", "--partner", "mc1"], "either a BINDING"),
        (["withdraw", "--partner", "mc1"], "--user ID or --all-users"),
        (["withdraw", "--partner", "mc1", "--user", "sip:a@b", "--all-users"], "--user ID or --all-users"),
        (["restore"], "wanted a NAME"),
        (["restore", "--partner", "mc1"], "--user ID or --all-users"),
        (
            ["allocate", "--role", "partner", "--user", "u", "--partner", "p", "--impi", "i", "--impu", "u"],
            "wants --mms",
        ),
        (["list", "--admin", "nowhere.toml"], "nowhere.toml"),
        (["list", "--role", "both"], "'both' is not one of"),
        (["audit", "--since", "0001-01-01"], "--since: 0001-01-01 00:00:00 is no moment"),
    ],
)
def test_misuse_is_said_in_one_line(arguments: list[str], message: str) -> None:
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 2
    assert message in run.output


def test_an_empty_name_is_misuse_and_no_other_path(capsys: pytest.CaptureFixture[str]) -> None:
    """A script's variable that is not set."""
    with pytest.raises(typer.Exit) as ended:
        _quoted("")
    assert ended.value.exit_code == 2
    assert "the name is empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_that_says_what_it_does(command: str) -> None:
    run = CliRunner().invoke(app, [command, "--help"])
    assert run.exit_code == 0
    assert "--admin" in run.output


def test_an_import_of_no_file_is_one_line(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["import", str(tmp_path / "none.jsonl")])
    assert (run.exit_code, "No such file" in run.output) == (1, True)
