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


@pytest.mark.parametrize(
    ("state", "enabled", "deregistration", "ended"),
    [
        ("quarantined", True, "confirmed", True),
        ("allocated", False, "unconfirmed", True),
        ("registered", False, "pending", False),
        ("registered", True, "none", False),
    ],
)
def test_a_binding_has_ended_when_nobody_is_served_and_its_rtr_is_over(
    state: str, enabled: bool, deregistration: str, ended: bool
) -> None:
    binding = {"state": state, "enabled": enabled, "deregistration": deregistration}
    assert csc_x_client.is_in(binding, "ended") is ended
    assert csc_x_client.is_in(binding, "served") is (enabled and state == "registered")
    assert csc_x_client.is_in(binding, state)
    assert csc_x_client.is_in(binding, "")
    assert not csc_x_client.is_in(binding, "held")
