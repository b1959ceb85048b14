"""The admin socket's client: who cannot be asked is said so."""

import socket
from pathlib import Path

import pytest

from diameter_proxy.admin import AdminError, _remove_stale_socket, ask


def test_nobody_there_is_an_admin_error(tmp_path):
    with pytest.raises(AdminError, match="No such file"):
        ask(tmp_path / "none.sock", "peers")


def test_only_a_socket_that_nobody_listens_on_is_taken_away(tmp_path: Path) -> None:
    key = tmp_path / "private_key.pem"
    key.write_text("secret")
    path = tmp_path / "admin.sock"
    _remove_stale_socket(key)
    _remove_stale_socket(path)  # nothing there
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        _remove_stale_socket(path)
        assert path.is_socket()  # a living process has it
    _remove_stale_socket(path)
    assert not path.exists()
    assert key.read_text() == "secret"
