"""Every scenario once, in a lab of its own, judged from its capture; nothing is left behind.

The long ones are in ``make test-all``: ``mclab run --all``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.scenarios.library import SCENARIOS

pytestmark = pytest.mark.lab
PATIENCE_S = 240
SHORT = [name for name, scenario in SCENARIOS.items() if not scenario.is_long]


@pytest.mark.parametrize("name", SHORT)
def test_the_capture_proves_the_scenario(name: str, tmp_path: Path) -> None:
    assert os.geteuid() == 0, "the lab needs root"
    run = subprocess.run(
        [sys.executable, "-P", "-m", "lab.cli", "run", name, "--json", "--check-clean", "--directory", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert run.stdout, run.stderr
    report = json.loads(run.stdout)
    missed = [f"{one['what']}: {one['detail']}" for one in report.get("expectations", []) if one["verdict"] != "pass"]
    assert (report["verdict"], report["failure"], missed) == ("pass", None, []), run.stderr
    assert report["left_behind"] == []
    assert run.returncode == 0
