"""The databases that tests run over leave nothing behind when they do not start."""

import gc
from pathlib import Path

import pytest

from tests.databases import PostgreSql

# It says why, and would wait for the end of its input, as the real one does.
NO_ROOM = "#!/bin/sh\necho no room on the disk\nexec cat >/dev/null 2>&1\n"


def test_a_postgresql_that_does_not_start_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_virtualenv"
    program.write_text(NO_ROOM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(AssertionError, match="no PostgreSQL: no room on the disk") as failed:
        PostgreSql()
    process = failed.traceback[-2].frame.f_locals["self"]._process
    assert process.returncode == 0
    assert process.stdin.closed and process.stdout.closed
    gc.collect()  # a pipe left open would be a warning, and so an error
