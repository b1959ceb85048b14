"""Load and chaos on real cores: a crowd registers at the partner; programs die while a user migrates."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
PATIENCE_S = 200
SEED = "77"


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
    judged = mclab("verify", tmp_path / "run", "--json")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    steps = {step["id"]: step["detail"] for step in json.loads(judged.stdout)["steps"] if step["verdict"] == "pass"}
    assert steps == {f"10.6.2-{number}": "60 of 60 registrations" for number in range(2, 14)}


def test_what_dies_while_a_user_migrates_loses_doubles_and_leaks_nothing(tmp_path: Path) -> None:
    """Of this seed the first two strike the MMS of either side while the two stores are at work; test-all has ten."""
    done = mclab("drill", "chaos", "--runs", 2, "--seed", SEED, "--json", "--directory", tmp_path / "runs")
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads(done.stdout)
    runs = [run for lab in result["labs"] for run in lab["runs"]]
    assert [(run["verdict"], run["faults"]) for run in runs] == [("pass", [])] * 2
    assert [lab["faults"] for lab in result["labs"]] == [[]]


def test_a_seed_that_is_none_is_one_line() -> None:
    done = mclab("drill", "chaos", "--seed", "a b")
    assert (done.returncode, done.stderr) == (2, "error: seed a b: wanted 1 to 32 letters and digits\n")
