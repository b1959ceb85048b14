"""The units of packaging/systemd under a real systemd: ready, reload, kill, stop, and a store behind the hardening."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from lab.render.files import Files
from lab.render.programs import hosts_text, render_lab
from lab.run_directory import RunDirectory
from lab.topology import load_topology
from tests.systemd_host import HERE, PYTHON, Host

pytestmark = [pytest.mark.lab, pytest.mark.containers]
ETC: Final = "/etc/mc-migration"
MMS, CMS, PROXY = UNITS = ("mmserver-migration", "mmserver-configuration", "diameter-proxy")
PROGRAM: Final = f'#!/bin/sh\nexec {PYTHON} -m {{module}} "$@"\n'
ASK: Final = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=20).status)
except urllib.error.HTTPError as exc:
    print(exc.status, exc.read().decode())
except OSError as exc:
    print(exc)
"""
MORE: Final = {
    "mms": '\n[metrics]\naddress = "127.0.0.1"\nport = 9101\n',
    "cms": f"""
[metrics]
address = "127.0.0.1"
port = 9102
[store]
url = "sqlite+aiosqlite:////var/lib/{CMS}/cms.sqlite"
""",
    "proxy": f'\n[admin]\nsocket = "/run/{PROXY}/admin.sock"\n',
}
PORTS: Final = {MMS: 9101, CMS: 9102}
RELOADED: Final = {MMS: '"reload.done"', CMS: '"reload.done"', PROXY: '"config.reloaded"'}
DEADLINE_S: Final = 120.0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The servers of mc1 on one host, installed as docs/operations.md says."""
    folder = tmp_path_factory.mktemp("systemd")
    host = Host(folder / "root")
    try:
        install(host, folder / "run")
        yield host
    finally:
        host.close()


def install(host: Host, folder: Path) -> None:
    topology = load_topology().restricted_to(("mc1", "mc2"))
    run = RunDirectory(folder)
    run.make()
    render_lab(topology, Files(run, "ab12"))
    host.do("groupadd", "--system", "mc-migration")
    host.write("/etc/hosts", "127.0.0.1 localhost\n" + hosts_text(topology))
    for name in ("mms", "cms", "proxy1"):
        host.do("ip", "address", "add", f"{topology.address('mc1', name)}/32", "dev", "lo")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parts[-2] in ("tls", "mms.mc1", "cms.mc1", "proxy1.mc1", "admin.mc1"):
            host.write(f"{ETC}/{path.relative_to(folder)}", path.read_text().replace(str(folder), ETC))
    places = {
        f"{ETC}/state/mms.mc1": f"/var/lib/{MMS}",
        f"{ETC}/state/proxy1.mc1": f"/var/lib/{PROXY}",
        "/run/mclab/ab12": f"/run/{PROXY}",
    }
    for name, file in (("mms.mc1", "mms"), ("cms.mc1", "cms"), ("proxy1.mc1", "proxy")):
        text = host.do("cat", f"{ETC}/etc/{name}/{file}.toml")
        for old, new in places.items():
            text = text.replace(old, new)
        host.write(f"{ETC}/{file}.toml", text + MORE[file])
    host.do("chgrp", "--recursive", "mc-migration", ETC)
    host.do("chmod", "--recursive", "u=rwX,g=rX,o=", ETC)
    for program, module in (("mmserver", "mmserver.cli"), ("diameter-proxy", "diameter_proxy.cli")):
        host.write(f"/usr/local/bin/{program}", PROGRAM.format(module=module))
        host.do("chmod", "755", f"/usr/local/bin/{program}")
    for unit in UNITS:
        host.do("cp", f"{HERE}/packaging/systemd/{unit}.service", "/etc/systemd/system/")
        host.write(f"/etc/systemd/system/{unit}.service.d/keys.conf", "[Service]\nSupplementaryGroups=mc-migration\n")
    host.do("systemctl", "daemon-reload")
    for unit, part in ((MMS, "migration"), (CMS, "configuration")):
        as_the_unit = [f"User={unit}", f"StateDirectory={unit}", "DynamicUser=yes", "SupplementaryGroups=mc-migration"]
        properties = [word for one in as_the_unit for word in ("-p", one)]
        config = f"--config={ETC}/{'mms' if unit == MMS else 'cms'}.toml"
        host.do("systemd-run", "--pipe", "--wait", *properties, "/usr/local/bin/mmserver", part, "upgrade", config)


def shown(host: Host, unit: str, *properties: str) -> dict[str, str]:
    lines = host.do("systemctl", "show", unit, *(f"--property={name}" for name in properties)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def ready(host: Host, port: int) -> str:
    return host.do(*PYTHON.split(), "-c", ASK, f"http://127.0.0.1:{port}/ready").strip()


def said_by(host: Host, unit: str) -> str:
    return host.do("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")


def wait_for(host: Host, unit: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, said_by(host, unit)
        time.sleep(0.1)


def wait_until_ready(host: Host, unit: str) -> None:
    wait_for(host, unit, lambda: ready(host, PORTS[unit]) == "200")


def wait_until_said(host: Host, unit: str, what: str) -> None:
    wait_for(host, unit, lambda: what in said_by(host, unit))


@pytest.fixture
def running(host: Host) -> Host:
    host.do("systemctl", "start", *UNITS)
    return host


def test_a_unit_that_has_started_serves_from_its_store(running: Host) -> None:
    """`start` returns when READY=1 has come; /ready has then made a real write, as the user that systemd made."""
    for unit in PORTS:
        wait_until_ready(running, unit)
        store = running.do("find", f"/var/lib/private/{unit}", "-name", "*.sqlite", "-printf", "%m %u")
        assert store == f"600 {unit}"
    for unit in UNITS:
        assert shown(running, unit, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
        assert "mode is different" not in said_by(running, unit)


def test_a_reload_is_taken_by_the_same_process(running: Host) -> None:
    before = {unit: shown(running, unit, "MainPID") for unit in UNITS}
    running.do("systemctl", "reload", *UNITS)
    for unit in UNITS:
        wait_until_said(running, unit, RELOADED[unit])
    assert {unit: shown(running, unit, "MainPID") for unit in UNITS} == before


def test_a_file_of_no_use_is_said_and_tried_again(running: Host) -> None:
    running.do("systemctl", "stop", MMS)
    text = running.do("cat", f"{ETC}/mms.toml")
    running.write(f"{ETC}/mms.toml", text.replace("port = 443", "port = 70000"))
    running.do("systemctl", "start", "--no-block", MMS)
    wait_until_said(running, MMS, "mms.toml: http.port: ")
    running.write(f"{ETC}/mms.toml", text)
    wait_until_ready(running, MMS)


def test_a_unit_that_was_killed_is_started_again(running: Host) -> None:
    before = {unit: shown(running, unit, "MainPID") for unit in UNITS}
    running.do("systemctl", "kill", "--signal=KILL", "--kill-whom=main", *UNITS)

    def is_there_again(unit: str) -> bool:
        now = shown(running, unit, "ActiveState", "MainPID")
        return now["ActiveState"] == "active" and now["MainPID"] != before[unit]["MainPID"]

    for unit in UNITS:
        wait_for(running, unit, partial(is_there_again, unit))
    for unit in PORTS:
        wait_until_ready(running, unit)


def test_a_stop_is_clean(running: Host) -> None:
    running.do("systemctl", "stop", *UNITS)
    for unit in UNITS:
        expected = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
        assert shown(running, unit, *expected) == expected, said_by(running, unit)
