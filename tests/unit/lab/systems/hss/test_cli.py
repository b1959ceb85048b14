"""The command line of the HSS simulator; ``run`` is in tests/integration/test_hss_program.py."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.systems.hss.cli import app

CONFIG = """
[node]
origin_host = "hss.mc1.lab"
origin_realm = "ims.mc1.lab"
port = PORT
peers = ["proxy1.mc1.lab"]
[hss]
state = "STATE"
scscf = ["sip:scscf.mc1.lab:6060"]
"""


def invoke(command: str, tmp_path: Path, **values: str) -> tuple[int, str, str]:
    text = CONFIG
    for name, value in {"PORT": "0", "STATE": "hss.sqlite", **values}.items():
        text = text.replace(name, value)
    path = tmp_path / "hss.toml"
    path.write_text(text)
    result = CliRunner().invoke(app, [command, "--config", str(path)])
    return result.exit_code, result.stdout, result.stderr


def test_check_says_what_a_good_file_holds(tmp_path: Path) -> None:
    assert invoke("check", tmp_path) == (0, "ok: hss.mc1.lab: 0 users, 0 identity sets\n", "")


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_file_is_one_line_and_misuse(command: str, tmp_path: Path) -> None:
    code, stdout, stderr = invoke(command, tmp_path, PORT="70000")
    assert (code, stdout) == (2, "")
    assert stderr == "error: hss.toml: node.port: 70000 is more than 65535\n"


def test_help_names_both_commands() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "check" in result.stdout
    assert "run" in result.stdout
