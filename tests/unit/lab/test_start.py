"""Ctrl-C while the command line is loaded: one line, 130, no traceback."""

import sys
from importlib.abc import MetaPathFinder
from typing import Any

import pytest

from lab import cli, start
from lab.interruption import Interrupted


class Interrupting(MetaPathFinder):
    """Is interrupted as the command line is looked for."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "lab.cli":
            raise Interrupted(2)


def test_ctrl_c_while_it_loads_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(start, "listen", lambda: None)
    monkeypatch.delitem(sys.modules, "lab.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "error: interrupted\n")


def test_it_runs_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.app.info.help
    monkeypatch.setattr(start, "listen", lambda: None)
    monkeypatch.setattr("sys.argv", ["mclab", "scenarios"])
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert not ended.value.code
    assert "migration " in capsys.readouterr().out
