"""The watcher says ready before it looks; tests/lab/test_lab_faults.py has it see a message on a bridge."""

import json

import pytest

from lab.faults.watcher import _tell


def test_what_it_tells_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    _tell("ready")
    assert json.loads(capsys.readouterr().out) == {"event": "ready"}
