"""``mclab fault``: help that teaches, results on standard output, one line of error."""

import json
import os

import pytest
from typer.testing import CliRunner

from lab.cli import app
from lab.commands import labs
from lab.faults.fault import KINDS

runner = CliRunner()


@pytest.fixture(autouse=True)
def root_without_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(labs, "_labs", list)


def test_the_help_shows_a_fault_from_its_beginning_to_its_end() -> None:
    shown = " ".join(runner.invoke(app, ["fault", "--help"]).output.split())
    assert "mclab fault begin kill hss.mc1" in shown
    assert "mclab fault end kill hss.mc1" in shown


def test_every_kind_is_listed() -> None:
    done = runner.invoke(app, ["fault", "kinds", "--json"])
    assert [one["kind"] for one in json.loads(done.output)["kinds"]] == list(KINDS)
    assert "--percent N" in runner.invoke(app, ["fault", "kinds"]).output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["begin", "dance", "hss.mc1"], "no fault dance"),
        (["begin", "kill", "hss.mc1"], "mclab up makes one"),
        (["end", "kill"], "kill of what"),
        (["list"], "mclab up makes one"),
    ],
)
def test_misuse_is_one_line_and_exit_2(arguments: list[str], reason: str) -> None:
    done = runner.invoke(app, ["fault", *arguments])
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert reason in done.output


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = runner.invoke(app, ["fault", "list"])
    assert done.exit_code == 2
    assert "needs root" in done.output
