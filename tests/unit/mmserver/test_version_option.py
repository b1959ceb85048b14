"""Each program says which version it is, and its help stays its own."""

import re

import pytest
import typer
from typer.testing import CliRunner

from lab.cli import app as mclab
from mmserver.cli import app as mmserver
from ue_agent.cli import app as ue_agent


@pytest.mark.parametrize(("name", "app"), [("mclab", mclab), ("mmserver", mmserver), ("ue-agent", ue_agent)])
def test_a_program_says_its_version(name: str, app: typer.Typer) -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert said.exit_code == 0
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+\n", said.stdout)
    helped = CliRunner().invoke(app, ["--help"])
    assert str(app.info.help).split(":")[0].split("\n")[0][:40] in " ".join(helped.stdout.split())
    assert CliRunner().invoke(app, []).exit_code == CliRunner().invoke(typer_without_arguments(), []).exit_code


def typer_without_arguments() -> typer.Typer:
    """Return a program of two commands that shows its help when nothing is asked."""
    app = typer.Typer(no_args_is_help=True)
    app.command("one")(lambda: None)
    app.command("two")(lambda: None)
    return app
