"""Garbage on every TCP port of a whole lab: nothing ends, nothing is lost, and the next user is served."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.runtime.marks import namespaces_of

pytestmark = pytest.mark.lab
PATIENCE_S = 200
MCLAB = [sys.executable, "-P", "-m", "lab.cli"]
PORTS_MIN = 14  # of two systems with two proxies each: HTTP, Diameter and SIP over TCP
# Runs inside a namespace: what listens there is in the kernel's own table.
ATTACK = """
import ipaddress, os, socket, sys
GARBAGE = [
    b"", bytes(4096), os.urandom(4096), b"{" * 4096, b"\\r\\n" * 2000,
    b"\\x16\\x03\\x01\\x02\\x00\\x01\\x00", b"\\x01\\xff\\xff\\xff" + bytes(16), b"\\x01\\x00\\x00\\x10" + bytes(16),
    b"GET / HTTP/1.1\\r\\nContent-Length: -1\\r\\n\\r\\n",
    b"REGISTER sip:x SIP/2.0\\r\\nVia: \\r\\nContent-Length: 99999999\\r\\n\\r\\n",
]
rows = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
for row in rows:
    if row[3] != "0A":
        continue
    shown, _, port = row[1].partition(":")
    address = str(ipaddress.ip_address(bytes.fromhex(shown)[::-1])).replace("0.0.0.0", "127.0.0.1")
    print(address, int(port, 16), flush=True)
    for octets in GARBAGE:
        with socket.create_connection((address, int(port, 16)), timeout=10) as connection:
            try:
                connection.sendall(octets)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # closed already: as good an answer as any
"""


def mclab(*arguments: object) -> "subprocess.CompletedProcess[str]":
    assert os.geteuid() == 0, "the lab needs root"
    argv = [*MCLAB, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def told(lab: str, *arguments: str) -> dict[str, Any]:
    done = mclab("tell", "ue1", *arguments, "--lab", lab)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def hosts(lab: str) -> dict[str, Any]:
    listed = json.loads(mclab("status", lab, "--json").stdout)["labs"][0]["hosts"]
    return {host["host"]: (host["state"], host["pid"]) for host in listed}


def test_garbage_on_every_tcp_port_costs_only_its_connections(tmp_path: Path) -> None:
    done = mclab("up", "--directory", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    lab = str(json.loads(done.stdout)["lab"])
    try:
        assert told(lab, "register", "system=mc1")["status"] == 200
        before = hosts(lab)
        attacked = []
        for namespace in namespaces_of(lab):
            argv = ["ip", "netns", "exec", namespace, sys.executable, "-I", "-c", ATTACK]
            attack = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            assert attack.returncode == 0, (namespace, attack.stdout, attack.stderr)
            attacked += attack.stdout.splitlines()
        assert len(attacked) >= PORTS_MIN, attacked
        assert hosts(lab) == before
        assert told(lab, "authenticate", "system=mc1", "flow=password")["ok"]
        assert told(lab, "refresh", "system=mc1")["status"] == 200
    finally:
        down = mclab("down", lab)
    assert down.returncode == 0, down.stderr
    logs = {path.name: path.read_text(errors="replace") for path in (tmp_path / "run").rglob("*.log")}
    assert logs and [name for name, text in logs.items() if "Traceback" in text] == []
