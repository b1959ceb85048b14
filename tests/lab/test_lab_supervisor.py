"""A lab's life at the command line: up, status, tell, down; a killed supervisor, an interrupted run, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.runtime.marks import namespaces_of, programs_in
from lab.runtime.plan import namespace
from lab.supervisor.client import supervisor_pid
from lab.traces import processes_of_lab

pytestmark = pytest.mark.lab
PATIENCE_S = 200
UNKNOWN = {
    "move ue1 mc2": "no system mc2 in this lab; there are mc1",
    "move ue9 mc1": "no UE ue9; there are ue1, ue2",
    "tell ue9 register": "no UE ue9; there are ue1, ue2",
}
MCLAB = [sys.executable, "-P", "-m", "lab.cli"]


def mclab(*arguments: object) -> "subprocess.CompletedProcess[str]":
    assert os.geteuid() == 0, "the lab needs root"
    argv = [*MCLAB, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def up(folder: Path) -> str:
    done = mclab("up", "--system", "mc1", "--directory", folder, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["lab"])


def pipes_of_kamailio(lab: str) -> list[str]:
    """Return what the S-CSCF's cdp has left in the /tmp that it sees."""
    process = programs_in(namespace(lab, "scscf.mc1"))[0]
    return [pipe.name for pipe in Path(f"/proc/{process}/root/tmp").glob("cdp_send_*")]


def test_a_lab_comes_up_works_and_goes(tmp_path: Path) -> None:
    lab = up(tmp_path / "run")
    try:
        listed: dict[str, Any] = json.loads(mclab("status", lab, "--json").stdout)["labs"][0]
        states = {host["host"]: host["state"] for host in listed["hosts"]}
        assert set(states.values()) == {"ready"}, states
        told = mclab("tell", "ue1", "register", "system=mc1", "--lab", lab)
        assert json.loads(told.stdout)["status"] == 200, told.stdout
        for arguments, said in UNKNOWN.items():
            refused = mclab(*arguments.split(), "--lab", lab)
            assert (refused.returncode, refused.stderr) == (1, f"error: {said}\n")
        pipes = pipes_of_kamailio(lab)
        assert pipes, "Kamailio leaves its pipes elsewhere now"
        assert not any((Path("/tmp") / name).exists() for name in pipes)
    finally:
        down = mclab("down", lab)
    assert down.returncode == 0, down.stderr
    assert namespaces_of(lab) == []
    assert processes_of_lab(lab) == []
    assert (tmp_path / "run" / "raw.pcapng").stat().st_size > 1000


def test_a_lab_whose_supervisor_was_killed_goes_all_the_same(tmp_path: Path) -> None:
    lab = up(tmp_path / "run")
    pid = supervisor_pid(lab)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert "does not answer" in mclab("status", lab).stdout
    assert mclab("down", lab).returncode == 0
    assert namespaces_of(lab) == []
    assert processes_of_lab(lab) == []
    assert not Path("/run/mclab", lab).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_takes_its_lab_down(tmp_path: Path, number: signal.Signals) -> None:
    run = tmp_path / "run"
    argv = [*MCLAB, "run", "native", "--directory", str(run)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    lab = str(json.loads(_wait_for_file(run / "run.json"))["lab"])
    _wait_for(lambda: len(processes_of_lab(lab)) > 3)
    process.send_signal(number)
    process.wait(PATIENCE_S)
    _wait_for(lambda: not namespaces_of(lab) and not processes_of_lab(lab))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "migraton"), 2, "error: no scenario migraton; did you mean migration"),
        (("run",), 2, "error: which scenario?"),
        (("run", "native", "--topology", "none.toml"), 2, "error: none.toml: No such file"),
        (("down", "zzzz"), 2, "error: there is no lab zzzz"),
        (("verify", "/tmp"), 2, "error: /tmp: not a run directory"),
        (("up", "--system", "mc9"), 2, "error: no system mc9"),
        (("up", "--runtime", "abacus"), 2, "error: no runtime abacus"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], status: int, said: str) -> None:
    done = mclab(*arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0


def _wait_for(condition: Any) -> None:
    for _ in range(PATIENCE_S * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that in time")


def _wait_for_file(file: Path) -> str:
    _wait_for(file.exists)
    return file.read_text()
