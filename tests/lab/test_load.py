"""Load on a real core: everybody of a crowd registers at the partner, through both proxies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
PATIENCE_S = 200


def mclab(*arguments: object) -> "subprocess.CompletedProcess[str]":
    assert os.geteuid() == 0, "the lab needs root"
    argv = [sys.executable, "-P", "-m", "lab.cli", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_a_storm_of_migrated_users_all_200(tmp_path: Path) -> None:
    done = mclab("storm", "--users", 60, "--rate", 30, "--migrated", "--json", "--directory", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["sides"]["migrated"]["ok"] == 60
    assert result["capture"]["migrated"]["ok"] == 60
    assert result["sides"]["migrated"]["failures"] == {}
