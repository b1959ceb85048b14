"""A folder of foreign programs of the test's own, first in PATH: what they were told is written down."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a shell script in the place of a program; with none, PATH has the shell's own tools only."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "env", "tar", "cat", "mkdir"):
        found = next(place for place in ("/usr/bin", "/bin") if Path(place, tool).exists())
        (folder / tool).symlink_to(Path(found, tool))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))

    def put(name: str, script: str) -> None:
        file = folder / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"$TOLD"\n{script}\n')
        file.chmod(0o755)

    assert os.environ["PATH"] == str(folder)
    return put


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], list[str]]:
    """Return what the programs were told, a line each."""
    return lambda: (tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []
