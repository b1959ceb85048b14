"""Command line of the configuration management server."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmserver.configuration.cli import app

TOML = """
[system]
name = "mc1"
home_domain = "ims.mc1.lab"
[http]
address = "127.0.0.1"
port = 0
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[mms]
url = "https://mms.mc1.lab"
ca = "ca.pem"
[idms]
issuer = "https://idms.mc1.lab"
ca = "ca.pem"
audience = "cms.mc1.lab"
[initial_ue_configuration]
mc_system = "mc1"
home_domain = "ims.mc1.lab"
p_cscf = ["sip:10.77.1.10:5060"]
plmn = "00101"
idms_issuer = "https://idms.mc1.lab"
idms_auth_endpoint = "https://idms.mc1.lab/authorize"
idms_token_endpoint = "https://idms.mc1.lab/token"
cms = "https://cms.mc1.lab"
gms = "https://gms.mc1.lab"
kms = "https://kms.mc1.lab"
"""


@pytest.fixture
def file(files: Path) -> Path:
    (files / "cms.toml").write_text(TOML)
    return files / "cms.toml"


def test_check_says_what_was_read(file: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert (result.exit_code, result.stdout) == (0, "ok: mc1, 0 users, 0 partners\n")


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_fault_is_one_line_and_exit_2(file: Path, command: str) -> None:
    file.write_text(TOML.replace("port = 0", "port = 70000"))
    result = CliRunner().invoke(app, [command, "--config", str(file)])
    assert (result.exit_code, result.stderr) == (2, "error: cms.toml: http.port: 70000 is more than 65535\n")


def test_help_teaches() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert "10.1.X.1" in shown and "CSC-17" in shown
