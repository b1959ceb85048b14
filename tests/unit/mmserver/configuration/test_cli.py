"""Command line of the configuration management server."""

import json
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
url = "https://127.0.0.1:1"
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


PARTNER = """
[[partners]]
name = "mc2"
cms = "https://cms.mc2.lab"
ca = "ca.pem"
client_name = "cms.mc2.lab"
migration_management_servers = ["mms.mc2.lab"]
realms = ["ims.mc2.lab"]
"""


def test_check_warns_of_a_partner_who_could_ask_for_our_own_users(file: Path) -> None:
    file.write_text(TOML + PARTNER)
    result = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert (result.exit_code, result.stdout) == (0, "ok: mc1, 0 users, 1 partners\n")
    assert result.stderr.startswith("warning: system.mc_service_id_domains is empty: ")
    file.write_text("[system]\nmc_service_id_domains = ['mc1.lab']" + (TOML + PARTNER).replace("[system]", "", 1))
    (warning,) = CliRunner().invoke(app, ["check", "--config", str(file)]).stderr.splitlines()
    assert warning.startswith("warning: not checked against the migration management server: https://127.0.0.1:1: ")


def test_a_strict_check_fails_on_a_warning(file: Path) -> None:
    line = ["check", "--config", str(file), "--strict"]
    assert CliRunner().invoke(app, line).exit_code == 0
    file.write_text(TOML + PARTNER)
    assert CliRunner().invoke(app, line).exit_code == 1


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_fault_is_one_line_and_exit_2(file: Path, command: str) -> None:
    file.write_text(TOML.replace("port = 0", "port = 70000"))
    result = CliRunner().invoke(app, [command, "--config", str(file)])
    assert (result.exit_code, result.stderr) == (2, "error: cms.toml: http.port: 70000 is more than 65535\n")


def test_help_teaches() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert "10.1.X.1" in shown and "CSC-17" in shown


def test_check_is_for_scripts_too(file: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(file), "--json"])
    assert json.loads(result.stdout) == {
        "system": "mc1", "users": 0, "groups": 0, "partners": [], "store": False, "warnings": [],
    }  # fmt: skip


def test_an_upgrade_makes_the_store_and_wants_one(file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["upgrade", "--config", str(file)])
    assert (result.exit_code, result.stderr) == (
        2,
        "error: cms.toml: store: is missing: without [store] url there is nothing to upgrade\n",
    )
    file.write_text(TOML + f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/cms.sqlite"\n')
    result = CliRunner().invoke(app, ["upgrade", "--config", str(file)])
    assert (result.exit_code, result.stdout) == (0, "ok: schema 0001\n")
    file.write_text(TOML + f'[store]\nurl = "sqlite+aiosqlite:///{file}/cms.sqlite"\n')
    result = CliRunner().invoke(app, ["upgrade", "--config", str(file)])
    assert (result.exit_code, result.stderr.startswith("error: store: ")) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["reload"],
        ["agreements", "list"],
        ["users", "show", "sip:a@b"],
        ["groups", "remove", "crew"],
        ["withdrawals", "list"],
        ["withdrawals", "add", "--partner", "mc2", "--all-users"],
        ["withdrawals", "restore", "w-1"],
        ["dry-run", "--user", "sip:a@b", "--from", "mc2"],
    ],
)
def test_a_server_that_does_not_run_is_one_line_and_exit_1(file: Path, arguments: list[str]) -> None:
    line = [*arguments, "--config", str(file), "--url", "https://127.0.0.1:1"]
    result = CliRunner().invoke(app, line)
    assert (result.exit_code, result.stderr.startswith("error: https://127.0.0.1:1: ")) == (1, True)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("group", "table"), [("agreements", "partners"), ("users", "users"), ("groups", "groups")])
def test_the_help_of_set_says_what_the_file_holds(group: str, table: str) -> None:
    result = CliRunner().invoke(app, [group, "set", "--help"])
    assert f"one table `{table}`" in " ".join(result.stdout.replace("│", " ").split())


def test_a_location_that_is_no_json_is_named_with_an_example(file: Path) -> None:
    line = ["dry-run", "--user", "sip:a@b", "--location", "{", "--config", str(file)]
    result = CliRunner().invoke(app, line)
    assert (result.exit_code, result.stderr.startswith('error: --location: no JSON, such as {"tracking_area"')) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["dry-run", "--user", "sip:a@b"],
        ["dry-run", "--user", "sip:a@b", "--location", "{}", "--from", "mc2"],
        ["dry-run", "--user", "sip:a@b", "--location", "junk"],
        ["dry-run", "--user", "junk", "--from", "mc2"],
        ["withdrawals", "add", "--partner", "MC 2", "--all-users"],
        ["withdrawals", "add", "--partner", "mc2"],
        ["withdrawals", "add", "--partner", "mc2", "--user", "sip:a@b", "--all-users"],
        ["users", "set", "none.toml"],
    ],
)
def test_what_cannot_be_asked_is_misuse(file: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--config", str(file)])
    assert (result.exit_code, result.stderr.startswith("error: ")) == (2, True), result.output
