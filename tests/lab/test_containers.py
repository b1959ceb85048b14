"""The lab in containers: the same scenario proves the same steps, and nothing is left, however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.runtime.base_image import BASE, has_image
from lab.runtime.engine import containers_of
from lab.runtime.images import make_images
from lab.runtime.marks import namespaces_of
from lab.supervisor.client import supervisor_pid
from lab.traces import processes_of_lab

pytestmark = [pytest.mark.lab, pytest.mark.containers]
PATIENCE_S = 240
IMAGES_S = 1200
PROVED = 30
MCLAB = [sys.executable, "-P", "-m", "lab.cli"]


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    assert os.geteuid() == 0, "the lab needs root"
    make_images(print)


def mclab(*arguments: object) -> "subprocess.CompletedProcess[str]":
    argv = [*MCLAB, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def up(folder: Path) -> str:
    done = mclab("up", "--system", "mc1", "--runtime", "containers", "--directory", folder, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["lab"])


def is_gone(lab: str) -> bool:
    return not containers_of(lab) and not namespaces_of(lab) and not processes_of_lab(lab)


@pytest.mark.timeout(IMAGES_S)
def test_migration_proves_the_same_steps(tmp_path: Path) -> None:
    run = mclab(
        *("run", "migration", "--runtime", "containers", "--check-clean", "--json", "--directory", tmp_path / "run")
    )
    report = json.loads(run.stdout)
    proved = [step["id"] for step in report["steps"] if step["verdict"] == "pass"]
    assert (report["verdict"], len(proved), report["left_behind"]) == ("pass", PROVED, []), run.stderr
    assert report["environment"]["runtime"] == "containers"


def test_each_program_is_a_container_that_may_do_nothing_but_its_own(tmp_path: Path) -> None:
    lab = up(tmp_path / "run")
    try:
        listed: dict[str, Any] = json.loads(mclab("status", lab, "--json").stdout)["labs"][0]
        assert {host["state"] for host in listed["hosts"]} == {"ready"}
        hosts = {host["host"] for host in listed["hosts"]}
        # The second container of a host has a number: the MMS's store was brought up to date in the first.
        assert {re.sub(r"-\d+$", "", name.removeprefix(f"mclab-{lab}-")) for name in containers_of(lab)} == hosts
        effective = {host: _effective_capabilities(lab, host) for host in ("pcscf.mc1", "hss.mc1", "cms.mc1")}
        assert effective == {"pcscf.mc1": 0, "hss.mc1": 0, "cms.mc1": 1 << 10}
        told = mclab("tell", "ue1", "register", "system=mc1", "--lab", lab)
        assert json.loads(told.stdout)["status"] == 200, told.stdout
    finally:
        down = mclab("down", lab)
    assert (down.returncode, is_gone(lab)) == (0, True), down.stderr


def test_a_lab_whose_supervisor_was_killed_goes_all_the_same(tmp_path: Path) -> None:
    lab = up(tmp_path / "run")
    pid = supervisor_pid(lab)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert mclab("down", lab).returncode == 0
    assert is_gone(lab)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_takes_its_containers_down(tmp_path: Path, number: signal.Signals) -> None:
    run = tmp_path / "run"
    argv = [*MCLAB, "run", "native", "--runtime", "containers", "--directory", str(run)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    _wait_for((run / "run.json").exists)
    lab = str(json.loads((run / "run.json").read_text())["lab"])
    _wait_for(lambda: len(containers_of(lab)) > 3)
    process.send_signal(number)
    process.wait(PATIENCE_S)
    _wait_for(lambda: is_gone(lab))


def test_the_base_image_is_there_and_made_once() -> None:
    assert has_image(BASE)
    assert mclab("base-image").stdout == f"{BASE} is there\n"


def _effective_capabilities(lab: str, host: str) -> int:
    """Return CapEff of the first program of a container (capabilities(7), proc(5))."""
    inode = Path("/run/netns", f"mclab-{lab}-{host}").stat().st_ino
    for number in processes_of_lab(lab):
        if Path("/proc", str(number), "ns", "net").stat().st_ino == inode:
            status = Path("/proc", str(number), "status").read_text()
            return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)
    raise AssertionError(f"nothing runs on {host}")


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that in time")
