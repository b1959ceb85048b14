"""Every program over a file that is none, is no TOML or holds what it does not know: one line, exit 2, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {
    "mmserver migration": ["-m", "mmserver.cli", "migration"],
    "mmserver configuration": ["-m", "mmserver.cli", "configuration"],
    "diameter-proxy": ["-m", "diameter_proxy.cli"],
    "ue-agent": ["-m", "ue_agent.cli"],
    "HSS simulator": ["-m", "lab.systems.hss"],
    "identity management": ["-m", "lab.systems.idms"],
}
FILES = {
    "missing": (None, "No such file or directory"),
    "no TOML": ("a = [\n", "Invalid value"),
    "no text": (b"\xff\xfe\x00", ""),
    "another program's": ("[nothing_of_ours]\nkey = 1\n", ""),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_cannot_be_used_is_one_line_and_misuse(tmp_path: Path, program: str, file: str) -> None:
    content, said = FILES[file]
    path = tmp_path / "some.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    command = [sys.executable, *PROGRAMS[program], "run", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("error: ") and f"some.toml: {said}" in done.stderr
