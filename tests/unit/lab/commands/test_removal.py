"""What a dead supervisor leaves is removed, and what is not there is no error."""

from pathlib import Path

import pytest

from lab.commands import removal


def test_the_folder_of_a_dead_supervisors_socket_goes_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(removal, "SOCKETS", tmp_path / "mclab")
    folder = tmp_path / "mclab" / "zzzz"
    folder.mkdir(parents=True)
    (folder / "pid").write_text("1\n")
    removal.remove_what_is_left("zzzz")
    assert not (tmp_path / "mclab").exists()
    removal.remove_what_is_left("zzzz")
