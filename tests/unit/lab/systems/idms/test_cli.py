"""Command line of the identity management server."""

import json
from pathlib import Path

import pytest
import trustme
from joserfc.jwk import ECKey, KeySet
from typer.testing import CliRunner

from lab.systems.idms.cli import app

TOML = """
[system]
issuer = "https://idms.mc1.lab"
[http]
address = "127.0.0.1"
port = 0
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[keys]
private_key = "idms-signing.pem"
[[partners]]
issuer = "https://idms.mc2.lab"
jwks_file = "partner.json"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificate = trustme.CA().issue_cert("idms.mc1.lab")
    (tmp_path / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (tmp_path / "private_key.pem").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "idms-signing.pem").write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    (tmp_path / "partner.json").write_text(json.dumps(KeySet([ECKey.generate_key("P-256", private=False)]).as_dict()))
    (tmp_path / "idms.toml").write_text(TOML)
    return tmp_path


def test_check_says_what_was_read(folder: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(folder / "idms.toml")])
    assert result.exit_code == 0, result.output
    assert result.stdout == "ok: https://idms.mc1.lab, 0 users, 1 partners\n"


@pytest.mark.parametrize("name", ["certificate.pem", "idms-signing.pem", "partner.json", "idms.toml"])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_missing_file_is_an_error_of_one_line(folder: Path, name: str, command: str) -> None:
    (folder / name).unlink()
    result = CliRunner().invoke(app, [command, "--config", str(folder / "idms.toml")])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_help_teaches() -> None:
    assert "RFC 8693" in " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
