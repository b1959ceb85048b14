"""The other end of a supervisor that is not there: one line, no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.render.files import PID_NAME
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


def test_another_process_with_the_number_of_a_dead_supervisor_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told to end but a supervisor of that lab."""
    monkeypatch.setattr(client, "SOCKETS", tmp_path)
    (tmp_path / "zzzz").mkdir()
    (tmp_path / "zzzz" / PID_NAME).write_text(f"{os.getpid()}\n")
    assert client.supervisor_pid("zzzz") is None


def test_a_supervisor_that_serves_no_socket_yet_is_known_and_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SOCKETS", tmp_path)
    (tmp_path / "zzzz").mkdir()
    waiting = "import signal; print(flush=True); signal.pause()"
    argv = [sys.executable, "-c", waiting, "lab.supervisor", "zzzz"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        (tmp_path / "zzzz" / PID_NAME).write_text(f"{process.pid}\n")
        assert client.supervisor_pid("zzzz") == process.pid
        client.tell_to_end(process.pid)
    assert process.returncode == -signal.SIGTERM
