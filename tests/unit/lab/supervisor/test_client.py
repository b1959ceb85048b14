"""The other end of a supervisor that is not there: one line, no traceback."""

import os

import pytest

from lab.supervisor import client
from lab.supervisor.client import NoSupervisor


def test_a_supervisor_that_is_not_there_is_named() -> None:
    with pytest.raises(NoSupervisor, match=r"^lab zzzz: its supervisor does not answer \("):
        client.ask("zzzz", {"command": "status"})
    assert client.supervisor_pid("zzzz") is None


def test_a_process_that_has_ended_is_gone_and_one_that_lives_is_not() -> None:
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    assert client.wait_until_gone(pid, 1)
    assert not client.wait_until_gone(os.getpid(), 0.01)
    client.end_for_good(pid)
