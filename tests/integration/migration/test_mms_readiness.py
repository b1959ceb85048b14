"""``/ready`` of the running program: a full disk, a database that is away, and back, without a restart."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

STORE = "urn:mc-migration:problem:store-unavailable"
PROXIES = "urn:mc-migration:problem:no-diameter-proxy"


class Ready:
    """What ``/ready`` says."""

    def __init__(self, program: Any, lab: Any) -> None:
        context = lab.context(lab.credentials("stranger.mc2.lab"))
        self._http = httpx2.Client(base_url=f"https://{program.listen[0]}", verify=context, timeout=30)

    def problem(self) -> dict[str, Any]:
        answer = self._http.get("/ready")
        assert answer.status_code == 503  # no proxy is connected in these tests
        return dict(answer.json())

    def wait_for(self, kind: str) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while (problem := self.problem())["type"] != kind:
            assert time.monotonic() < deadline, problem
            time.sleep(0.05)
        return problem

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    octets = 1 << 16
    with filler.open("wb", buffering=0) as file:
        while octets:
            try:
                file.write(bytes(octets))
            except OSError:
                octets //= 2
    assert os.statvfs(folder).f_bavail == 0
    return filler


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_disk_is_not_ready_and_room_makes_it_ready_again(program: Any, lab: Any, small_disk: Path) -> None:
    lab.configure(**{f"{lab.folder}/mms.sqlite": f"{small_disk}/mms.sqlite"})
    program.call("upgrade")
    program.start()
    ready = Ready(program, lab)
    assert "proxy1.mc2.lab" in ready.wait_for(PROXIES)["detail"]
    before = feed_version(small_disk)
    filler = fill(small_disk)
    full = ready.wait_for(STORE)
    assert full["detail"] == "store: database or disk is full: disk full, read-only, or the database gone?"
    assert full["title"] == "The store cannot be used now"
    filler.unlink()
    ready.wait_for(PROXIES)
    assert feed_version(small_disk) == before  # the probe has left nothing
    ready.close()


def feed_version(folder: Path) -> Any:
    from tests.databases import sqlite

    return sqlite(folder).rows("SELECT v, horizon FROM feed_version")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_that_is_away_is_not_ready_until_it_is_back(program: Any, lab: Any, postgresql: Any) -> None:
    program.call("upgrade")
    program.start()
    ready = Ready(program, lab)
    ready.wait_for(PROXIES)
    postgresql.control("stop", "--mode", "immediate")
    try:
        began = time.monotonic()
        assert ready.wait_for(STORE)["detail"].startswith("store: ")
        assert time.monotonic() - began < 15
    finally:
        postgresql.control("start")
    ready.wait_for(PROXIES)
    ready.close()
