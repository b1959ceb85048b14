"""A moment is sent to the discard port as it is written."""

import socket
import subprocess
import sys

import pytest

from lab.faults import marks


def test_every_network_is_sent_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        monkeypatch.setattr(marks, "DISCARD_PORT", receiver.getsockname()[1])
        argv = marks.sending(sys.executable, "mclab moment: now", {"mc1": "127.0.0.1", "mc2": "127.0.0.1"})
        subprocess.run(argv, check=True, timeout=10)
        assert [receiver.recv(100) for _ in range(2)] == [b"mclab moment: now"] * 2


def test_a_network_that_is_cut_off_keeps_no_other_from_it() -> None:
    argv = marks.sending(sys.executable, "text", {"mc1": "240.0.0.1", "mc2": "127.0.0.1"})
    assert subprocess.run(argv, check=False, timeout=10).returncode == 0
