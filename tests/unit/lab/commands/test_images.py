"""The base image at the command line: found, or one line that says why not."""

from pathlib import Path

import pytest

from lab.commands.errors import Failure
from lab.commands.images import make_base


def test_a_base_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert make_base("", lambda _: None, again=False) == "debian:bookworm-slim is there"


def test_without_an_engine_it_fails_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match=r"^no container engine: podman is not installed; .*$"):
        make_base("", lambda _: None, again=False)
