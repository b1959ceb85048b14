"""What a lab left: only what is new, and only its own."""

import os
import subprocess
import sys

from lab import traces
from lab.runtime.marks import MARK
from lab.runtime.plan import interfaces
from lab.topology import load_topology
from lab.traces import Traces

NOTHING: frozenset[str] = frozenset()
BEFORE = Traces(NOTHING, NOTHING, NOTHING, NOTHING, frozenset({"lo"}), frozenset({"/etc/hosts as of 1"}))


def test_nothing_new_is_nothing_left() -> None:
    assert traces.left_behind(BEFORE, BEFORE) == []


def test_each_new_thing_is_a_line() -> None:
    after = Traces(
        frozenset({"mclab-ab12-ue1"}),
        frozenset({"mclab-ab12-ue1"}),
        NOTHING,
        NOTHING,
        frozenset({"lo"}),
        frozenset({"/etc/hosts as of 2"}),
    )
    assert traces.left_behind(BEFORE, after) == [
        "namespaces: mclab-ab12-ue1",
        "containers: mclab-ab12-ue1",
        "files: /etc/hosts as of 2",
    ]


def test_an_interface_with_a_name_of_the_labs_counts_and_no_other(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(traces, "NETWORK_INTERFACES", tmp_path)
    names = interfaces(load_topology())
    before = traces.look("f00d", names)
    for name in ("lo", "veth3", "podman1", "tun0", "br-mc1", "router.mc2", "ue1"):
        (tmp_path / name).touch()
    lines = traces.left_behind(before, traces.look("f00d", names))
    assert lines == ["interfaces: br-mc1", "interfaces: router.mc2", "interfaces: ue1"]


def test_a_process_is_found_by_its_mark_and_no_other() -> None:
    script = "print('up', flush=True); input()"
    environment = {**os.environ, MARK: "f00d"}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-S", "-c", script], env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert traces.processes_of_lab("f00d") == [process.pid]
        assert traces.processes_of_lab("f00e") == []
        process.kill()
