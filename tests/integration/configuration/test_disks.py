"""The disk of an MMS's or a CMS's store is full, or read-only: both say so on /ready, lose nothing, and go on."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Database
from tests.disks import BreakableDisk, full, small_disk

STORE = "urn:mc-migration:problem:store-unavailable"
PORT = 9464
DEADLINE_S = 60.0
METRICS = 'address = "{address}"\nport = {port}\n'
VERSION = {"mms": "SELECT v, horizon FROM feed_version", "cms": "SELECT v FROM cms_version"}
PARTS = {"mms": "mmserver.migration", "cms": "mmserver.configuration"}


class Server:
    """An MMS or a CMS of mc1, whose store lies on a disk of the test's."""

    def __init__(self, host: str, system: Any, start: Callable[..., Any]) -> None:
        self._host, self._system, self._start = host, system, start
        self._address = system.address(host)

    def configure(self, disk: Path) -> None:
        url = f"sqlite+aiosqlite:///{disk}/store.sqlite"
        self.store = Database(url)
        metrics = METRICS.format(address=self._address, port=PORT)
        if self._host == "cms":
            self._config = self._system.write_cms(store=f'{metrics}[store]\nurl = "{url}"\npoll_s = 0.1')
        else:
            self._config = self._system.write_mms(more=f"[metrics]\n{metrics}")
            text = self._config.read_text()
            self._config.write_text(text.replace(f"sqlite+aiosqlite:///{self._config.parent}/mms.sqlite", url))
        command = [sys.executable, "-m", PARTS[self._host], "upgrade", "--config", str(self._config)]
        subprocess.run(command, check=True, capture_output=True, timeout=90)

    def run(self) -> Any:
        return self._start(self._host, PARTS[self._host], "run", "--config", str(self._config))

    def problem(self) -> dict[str, Any]:
        """Return what ``/ready`` misses; nothing when it is a proxy alone, for there is none."""
        try:
            urllib.request.urlopen(f"http://{self._address}:{PORT}/ready", timeout=20).close()
        except urllib.error.HTTPError as exc:
            with exc:
                problem: dict[str, Any] = json.loads(exc.read())
            return {} if problem["type"].endswith(":no-diameter-proxy") else problem
        return {}

    def wait_for(self, kind: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while (problem := self.problem()).get("type", "") != kind:
            assert time.monotonic() < deadline, problem
            time.sleep(0.05)
        return problem

    def version(self) -> Any:
        return self.store.rows(VERSION[self._host])


@pytest.fixture(scope="module")
def system(make_system: Any, start_mms: Any) -> Any:
    """mc1 with an MMS on the machine's own disk, for the CMS to reach."""
    mc1 = make_system("mc1")
    start_mms(mc1, mc1.write_mms())
    return mc1


@pytest.fixture(params=["mms", "cms"])
def server(request: pytest.FixtureRequest, make_system: Any, start: Any) -> Server:
    if request.param == "cms":
        return Server("cms", request.getfixturevalue("system"), start)
    return Server("mms", make_system("mc3"), start)


@pytest.fixture
def breakable(tmp_path: Path) -> Iterator[BreakableDisk]:
    disk = BreakableDisk(tmp_path / "disk")
    yield disk
    disk.close()


def test_a_full_disk_is_not_ready_and_room_makes_it_ready_again(server: Server, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        server.configure(disk)
        process = server.run()
        server.wait_for("")
        before = server.version()
        with full(disk):
            problem = server.wait_for(STORE)
            assert problem["detail"] == "store: database or disk is full: disk full, read-only, or the database gone?"
            assert problem["title"] == "The store cannot be used now"
        server.wait_for("")
        assert server.version() == before  # the probe has left nothing
        assert process.stop() == 0


def test_a_read_only_disk_is_not_ready_until_it_is_repaired(server: Server, breakable: BreakableDisk) -> None:
    """The kernel lets nobody write a file system with a fault again before it is unmounted: the server has to stop."""
    server.configure(breakable.folder)
    process = server.run()
    server.wait_for("")
    before = server.version()
    breakable.break_down()
    assert server.wait_for(STORE)["detail"].endswith(": disk full, read-only, or the database gone?")
    assert breakable.is_still_read_only()
    assert process.popen.poll() is None
    assert process.stop() == 0
    breakable.repair()
    process = server.run()
    server.wait_for("")
    assert server.version() == before
    assert process.stop() == 0
