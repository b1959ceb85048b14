"""A token used twice, against nobody: a refusal in one JSON object."""

import io
import json

import pytest

from lab.scenarios import token_client


def test_a_task_that_cannot_be_done_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = {"issuer": "https://idms.mc1.lab", "ca": "/nowhere/ca.pem"}
    task = {"primary": server, "partner": server, "client_id": "c", "scope": "openid", "credentials": {}}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(task)))
    token_client.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert "FileNotFoundError" in answer["reason"]
