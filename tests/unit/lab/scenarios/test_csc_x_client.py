"""CSC-X by hand against nobody: a refusal in one JSON object."""

import io
import json

import pytest

from lab.scenarios import csc_x_client


def test_a_task_that_cannot_be_done_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"ca": "/nowhere/ca.pem"}'))
    csc_x_client.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert "FileNotFoundError" in answer["reason"]
