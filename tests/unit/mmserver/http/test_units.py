"""The lines of sd_notify(3), and the units of the two servers."""

import importlib
import socket
from pathlib import Path

import pytest
from typer.main import get_command

from diameter_proxy.service_manager import ADDRESS
from mmserver.http.server import announce_ready

UNITS = Path(__file__).parents[4] / "packaging/systemd"
PARTS = pytest.mark.parametrize("part", ["migration", "configuration"])


def lines_of(part: str) -> list[str]:
    return (UNITS / f"mmserver-{part}.service").read_text().splitlines()


@pytest.mark.parametrize("prefix", ["{folder}/notify.sock", "@mc-migration-{folder}"])
def test_the_manager_learns_with_the_ready_line_that_we_accept(monkeypatch, tmp_path, capsys, prefix: str) -> None:
    address = prefix.format(folder=tmp_path)
    monkeypatch.setenv(ADDRESS, address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if address.startswith("@") else address)
        announce_ready(["127.0.0.1:443"])
        assert manager.recv(64) == b"READY=1"
    assert capsys.readouterr().out == '{"event": "ready", "listen": ["127.0.0.1:443"]}\n'


@PARTS
def test_a_unit_calls_commands_that_there_are_and_reloads_by_the_signal(part: str) -> None:
    commands = set(get_command(importlib.import_module(f"mmserver.{part}.cli").app).commands)
    called = [line.split(f"mmserver {part} ")[1].split()[0] for line in lines_of(part) if line.startswith("ExecSt")]
    assert called == ["check", "run"]
    assert set(called) <= commands
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines_of(part)


@PARTS
def test_a_unit_is_as_hardened_as_the_proxy_s_and_may_take_port_443(part: str) -> None:
    proxy = set((UNITS / "diameter-proxy.service").read_text().splitlines())
    confined = {
        line for line in proxy if line.startswith(("Private", "Protect", "Restrict", "NoNew", "System", "UMask"))
    }
    assert confined | {"Type=notify", "DynamicUser=yes", "MemoryDenyWriteExecute=yes"} <= set(lines_of(part))
    capabilities = [line for line in lines_of(part) if line.startswith(("CapabilityB", "Ambient"))]
    assert capabilities == [f"{name}=CAP_NET_BIND_SERVICE" for name in ("CapabilityBoundingSet", "AmbientCapabilities")]
    assert f"StateDirectory=mmserver-{part}" in lines_of(part)
