"""A host's command is a container with its own image, mounts and rights; signals go to what runs inside."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime import marks
from lab.runtime.containers import ContainerRuntime
from lab.runtime.marks import MARK
from lab.topology import load_topology

TOPOLOGY = load_topology().restricted_to(("mc1", "mc2"))


def runtime(folder: Path) -> ContainerRuntime:
    return ContainerRuntime("ab12", TOPOLOGY, Files(RunDirectory(folder), "ab12"))


def options(command: list[str], name: str) -> list[str]:
    return [command[at + 1] for at, word in enumerate(command) if word == name]


def test_a_program_is_the_container_of_its_host(tmp_path: Path) -> None:
    command = runtime(tmp_path).command("cms.mc1", [sys.executable, "-m", "mmserver.cli"], {"A": "b"})
    assert command[-4:] == ["mclab-python", "python", "-m", "mmserver.cli"]
    assert options(command, "--network") == ["ns:/run/netns/mclab-ab12-cms.mc1"]
    assert options(command, "--hostname") == ["cms.mc1.lab"]
    assert options(command, "--label") == ["mclab=ab12"]
    assert options(command, "--env") == ["A=b"]
    assert (options(command, "--cap-drop"), options(command, "--cap-add")) == (["all"], ["NET_BIND_SERVICE"])


def test_a_cscf_sees_its_configuration_and_no_state(tmp_path: Path) -> None:
    command = runtime(tmp_path).command("pcscf.mc1", ["kamailio", "-DD"], {})
    assert command[-3:] == ["mclab-kamailio", "kamailio", "-DD"]
    mounted = options(command, "--volume")
    assert f"{tmp_path}/etc:{tmp_path}/etc:ro" in mounted
    assert f"{tmp_path}/etc/pcscf.mc1:{tmp_path}/etc/pcscf.mc1:rw" in mounted
    assert [mount for mount in mounted if "/state" in mount] == []
    assert options(command, "--cap-add") == []


def test_an_errand_beside_the_program_has_another_name(tmp_path: Path) -> None:
    one = runtime(tmp_path)
    names = [options(one.command("cms.mc1", ["true"], {}), "--name")[0] for _ in range(2)]
    assert names == ["mclab-ab12-cms.mc1", "mclab-ab12-cms.mc1-2"]


@pytest.mark.parametrize("place", ["switch", "router"])
def test_capture_and_router_are_no_containers(tmp_path: Path, place: str) -> None:
    assert runtime(tmp_path).command(place, ["dumpcap"], {})[0] == "nsenter"


def test_a_signal_goes_to_what_runs_inside_and_not_to_an_errand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mclab-ab12-ue1").symlink_to(Path("/proc/self/ns/net"))
    monkeypatch.setattr(marks, "NETNS_FOLDER", tmp_path)
    marked = {**os.environ, MARK: "ab12"}
    wait = [sys.executable, "-S", "-c", "print('up', flush=True); input()"]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(wait, env=marked, stdin=pipe, stdout=pipe) as program,
        subprocess.Popen(wait, stdin=pipe, stdout=pipe) as errand,
    ):
        for one in (program, errand):
            assert one.stdout is not None
            one.stdout.readline()
        runtime(tmp_path).signal("ue1", errand.pid, signal.SIGTERM)
        assert program.wait(10) == -signal.SIGTERM
        assert errand.poll() is None
        errand.kill()


def test_before_the_container_is_there_its_engine_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as client:
        runtime(tmp_path).signal("ue1", client.pid, signal.SIGSTOP)
        runtime(tmp_path).signal("ue1", client.pid, signal.SIGTERM)
        assert client.wait(10) == -signal.SIGTERM
