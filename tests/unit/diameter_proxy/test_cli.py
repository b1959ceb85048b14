"""``diameter-proxy``: exit 0 done, 1 failed, 2 misused; one line for an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from diameter_proxy import hot_path
from diameter_proxy.cli import app
from tests.unit.diameter_proxy.conftest import MINIMAL


@pytest.fixture
def run(tmp_path):
    (tmp_path / "proxy.toml").write_text(MINIMAL)
    (tmp_path / "bad.toml").write_text(MINIMAL + "port = 70000\n")

    def run(*arguments, text=None):
        return CliRunner().invoke(app, [a.replace("DIR", str(tmp_path)) for a in arguments], input=text)

    return run


def test_check_says_what_it_makes_of_the_file(run):
    result = run("check", "--config", "DIR/proxy.toml")
    assert (result.exit_code, result.stdout) == (0, "ok: proxy1.mc1.lab, plain relay; peers: hss.mc1.lab (hss)\n")


def test_check_says_what_limits_a_peer_and_where_it_was_stated(run, tmp_path):
    limits = 'requests_per_s = 20\n[groups.hss]\ncommands = ["RTR", "PPR"]\n'
    (tmp_path / "limited.toml").write_text(MINIMAL + limits)
    assert run("check", "--config", "DIR/limited.toml").stdout.splitlines()[1:] == [
        "limits of hss.mc1.lab: commands = RTR PPR (groups.hss), requests_per_s = 20 (its own row)"
    ]


TLS = (
    MINIMAL
    + """
tls = true
ca = "ca.pem"
[tls]
certificate = "ours.pem"
private_key = "{key}"
"""
)


def test_check_loads_the_private_key_and_compares_it(run, tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("ours", "other"):
        leaf = ca.issue_cert(f"{name}.lab")
        leaf.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        leaf.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        (tmp_path / f"{name}.toml").write_text(TLS.format(key=f"{name}.key"))
    assert run("check", "--config", "DIR/ours.toml").exit_code == 0
    result = run("check", "--config", "DIR/other.toml")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: tls: ours.pem and other.key: the private key is not that of the certificate\n",
    )


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_check_names_an_authority_that_is_none(run, tmp_path, content):
    leaf = trustme.CA().issue_cert("ours.lab")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "ours.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "ours.key")
    (tmp_path / "ca.pem").write_text(content)
    (tmp_path / "ours.toml").write_text(TLS.format(key="ours.key"))
    said = f"{tmp_path}/ca.pem holds no certificate in PEM, or a broken one\n"
    result = run("check", "--config", "DIR/ours.toml")
    assert (result.exit_code, result.stderr) == (2, f"error: tls: ca of hss.mc1.lab: {said}")
    tls = '[tls]\ncertificate = "ours.pem"\nprivate_key = "ours.key"\n[hss]\nserver_name = "sip:scscf.mc1.lab"\n'
    feed = '[feed]\nurl = "https://mms.mc1.lab"\nca = "ca.pem"\n'
    (tmp_path / "feed.toml").write_text(MINIMAL + tls + feed)
    result = run("check", "--config", "DIR/feed.toml")
    assert (result.exit_code, result.stderr) == (2, f"error: tls: feed.ca: {said}")


@pytest.mark.parametrize("buffering", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_full_standard_output_is_one_line_and_exit_1(run, tmp_path, buffering):
    program = [sys.executable, "-m", "diameter_proxy.cli", "check", "--config", str(tmp_path / "proxy.toml")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | buffering
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            program, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("{", "warning: "))]
    assert (done.returncode, lines) == (1, ["error: standard output: No space left on device"])


def test_check_warns_of_a_peer_that_is_known_by_its_name_alone(run, tmp_path):
    result = run("check", "--config", "DIR/proxy.toml")
    assert result.stderr == "warning: peers: hss.mc1.lab comes without TLS from any address: set tls, or addresses\n"
    (tmp_path / "bound.toml").write_text(MINIMAL + 'addresses = ["10.77.1.0/24", "fd00::5"]\n')
    assert run("check", "--config", "DIR/bound.toml").stderr == ""


@pytest.mark.parametrize("command", ["check", "run", "peers"])
def test_a_bad_file_is_one_line_and_exit_2(run, command):
    result = run(command, "--config", "DIR/bad.toml")
    assert result.exit_code == 2
    assert result.stderr == "error: bad.toml: peers.0.port: 70000 is more than 65535\n"


def test_decode_takes_hex_with_blanks_and_colons(run, made):
    octets = made.mar().hex(":")
    for result in (run("decode", octets), run("decode", text=octets)):
        assert result.exit_code == 0
        assert result.stdout.startswith("MAR flags=RP")
    assert run("decode", "xyz").exit_code == 2
    assert run("decode", "0102").exit_code == 1


def test_peers_needs_an_admin_socket(run):
    result = run("peers", "--config", "DIR/proxy.toml")
    assert result.exit_code == 2
    assert "admin.socket is missing" in result.stderr


def test_explain_names_the_row(run):
    assert run("explain", "cscf", "mar", "lent").stdout == "mapped partner to primary, over CSC-Y\n"
    assert "experimental 5004" in run("explain", "cscf", "uar", "disabled").stdout
    assert "3001" in run("explain", "partner", "sar", "lent").stdout
    assert run("explain", "agent", "uar", "foreign").stdout.startswith("to the agent that Destination-Host")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("cscf", "xyz", "lent"), "XYZ is not a command: UAR, SAR, LIR, MAR, RTR, PPR"),
        (("zebra", "mar", "lent"), "zebra is not a class of peers: cscf, hss, mms, partner, agent"),
        (("cscf", "mar"), "an owner is missing: own, lent, unbound, expired, disabled, foreign, mixed"),
        (("cscf",), "a message wants --config and --peer; a row of the table a class, a command and an owner"),
    ],
)
def test_explain_names_what_a_row_may_be_asked_for_by(run, row, says):
    result = run("explain", *row)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {says}")


def test_a_level_of_logging_that_is_none_is_one_error_and_no_traceback(run):
    result = run("run", "--config", "DIR/proxy.toml", "--log-level", "loud")
    assert result.exit_code == 2
    assert "'loud' is not one of 'debug', 'info', 'warning', 'error'" in result.stderr


def test_the_list_of_commands_breaks_off_none_of_them(run):
    assert "..." not in run("--help").stdout.split("Commands:")[1]


def test_version(run):
    stdout = run("--version").stdout
    assert stdout.startswith("diameter-proxy ")
    assert f"hot path: {hot_path.KIND}" in stdout
