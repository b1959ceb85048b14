"""The lines of sd_notify(3), and the unit that goes with them."""

import socket
from pathlib import Path

import pytest
from typer.main import get_command

from diameter_proxy.cli import app
from diameter_proxy.service_manager import ADDRESS, notify

UNIT = Path(__file__).parents[3] / "packaging/systemd/diameter-proxy.service"


def test_nobody_is_told_where_no_manager_started_us(monkeypatch, tmp_path):
    for address in ("", "nonsense", str(tmp_path / "none.sock")):
        monkeypatch.setenv(ADDRESS, address)
        assert not notify("READY=1")


@pytest.mark.parametrize("prefix", ["{folder}/notify.sock", "@mc-migration-{folder}"])
def test_the_manager_is_told(monkeypatch, tmp_path, prefix):
    address = prefix.format(folder=tmp_path)
    monkeypatch.setenv(ADDRESS, address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if address.startswith("@") else address)
        assert notify("READY=1")
        assert manager.recv(64) == b"READY=1"


def test_the_unit_calls_commands_that_there_are():
    commands = set(get_command(app).commands)
    called = [line.split("diameter-proxy ")[1].split()[0] for line in UNIT.read_text().splitlines() if "ExecSt" in line]
    called += [line.split()[2] for line in UNIT.read_text().splitlines() if line.startswith("ExecReload")]
    assert set(called) == {"check", "run", "reload"} <= commands


def test_the_unit_waits_for_ready_and_keeps_its_state_where_it_may_write():
    lines = UNIT.read_text().splitlines()
    assert {"Type=notify", "DynamicUser=yes", "StateDirectory=diameter-proxy", "Restart=on-failure"} <= set(lines)
    assert [line for line in lines if line.startswith("[")] == ["[Unit]", "[Service]", "[Install]"]
