"""One command, two servers, each loaded only when it is asked for."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from mmserver.cli import app


def test_help_names_both_servers() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "migration" in result.output
    assert "configuration" in result.output


def test_an_unknown_server_is_misuse() -> None:
    assert CliRunner().invoke(app, ["elsewhere"]).exit_code == 2


def test_options_are_passed_on() -> None:
    result = CliRunner().invoke(app, ["migration", "check", "--config", "/no/such/mms.toml"])
    assert result.exit_code == 2
    assert "No such file" in result.output
    assert CliRunner().invoke(app, ["migration", "check"]).exit_code == 2


@pytest.mark.parametrize(("part", "other"), [("migration", "configuration"), ("configuration", "migration")])
def test_running_one_does_not_load_the_other(part: str, other: str) -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from mmserver.cli import app\n"
        f"result = CliRunner().invoke(app, ['{part}', '--help'])\n"
        f"print(result.exit_code, any(name.startswith('mmserver.{other}') for name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert run.stdout.split()[-1] == "False"
