"""``mclab attach`` at an IMS core that was not made for it: another lab's, with names and addresses of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.runtime.marks import NETNS_FOLDER, namespaces_of

pytestmark = pytest.mark.lab
PATIENCE_S = 200
CORES = Path(__file__).parent / "cores"
MCLAB = [sys.executable, "-P", "-m", "lab.cli"]


def mclab(*arguments: object) -> "subprocess.CompletedProcess[str]":
    argv = [*MCLAB, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[str]:
    """A P-, an I-, an S-CSCF and an HSS; the CSCFs are ready once somebody's proxies answer them."""
    assert os.geteuid() == 0, "the lab needs root"
    run = tmp_path / "core"
    argv = [*MCLAB, "up", "--topology", str(CORES / "foreign.toml"), "--system", "visited", "--directory", str(run)]
    starting = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lab = str(_run_facts(run)["lab"])
        _wait_for(lambda: (NETNS_FOLDER / f"mclab-{lab}-hss.visited").exists())
        _wait_for(lambda: (run / "log" / "scscf.visited.log").exists())
        yield lab
    finally:
        lab = str(_run_facts(run)["lab"])
        starting.terminate()
        starting.wait(PATIENCE_S)
        mclab("down", lab)
    assert namespaces_of(lab) == []


def attach_file(folder: Path, lab: str, hss: str = "hss-a") -> Path:
    text = (CORES / "attach.toml").read_text().replace("NAMESPACE", f"mclab-{lab}-switch").replace("hss-a", hss)
    file = folder / "attach.toml"
    file.write_text(text)
    return file


def test_a_user_migrates_to_a_core_of_somebody_else(core: str, tmp_path: Path) -> None:
    file = attach_file(tmp_path, core)
    done = mclab("attach", file, "--json", "--directory", tmp_path / "attached")
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert [one["what"] for one in result["preflight"] if not one["ok"]] == [], done.stderr
    assert (result["verdict"], done.returncode) == ("pass", 0), done.stderr
    proved = [step["id"] for step in result["steps"] if step["verdict"] == "pass"]
    assert len(proved) >= 26
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    checked = mclab("attach", "--check", attach_file(wrong, core, hss="hss-b"), "--json", "--directory", wrong / "run")
    failed = [one for one in json.loads(checked.stdout)["preflight"] if not one["ok"]]
    assert checked.returncode == 1
    assert [(one["what"], one["mend"]) for one in failed] == [
        ("CER/CEA with hss-b.visited.example", 'core.hss.host = "hss-a.visited.example"')
    ]


def _run_facts(run: Path) -> dict[str, Any]:
    _wait_for((run / "run.json").exists)
    return dict(json.loads((run / "run.json").read_text()))


def _wait_for(condition: Any) -> None:
    for _ in range(PATIENCE_S * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that in time")
