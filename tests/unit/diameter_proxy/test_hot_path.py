"""The compiled hot path is taken only when it is of the very source that lies beside it, and means the same."""

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from diameter_proxy import (
    counters,
    deadlines,
    duplicates,
    express,
    express_lane,
    form_learning,
    form_table,
    forms,
    hot_path,
    outlets,
    pending,
    ready_sets,
    remembered,
    returning,
    session_ids,
    splice,
    templates,
)

ROOT = Path(__file__).resolve().parents[3]


def can_compile():
    return subprocess.run([sys.executable, "setup.py", "can_compile"], cwd=ROOT, check=False).returncode == 0


PLAIN = [
    splice,
    express,
    templates,
    forms,
    form_table,
    ready_sets,
    session_ids,
    remembered,
    pending,
    duplicates,
    deadlines,
    counters,
    outlets,
    form_learning,
    returning,
    express_lane,
]


@pytest.fixture
def planted(monkeypatch):
    """Puts modules in place of the compiled ones."""

    def plant(source_sha256):
        modules = []
        for name in hot_path.MODULES:
            module = ModuleType(f"diameter_proxy._{name}_compiled")
            module.SOURCE_SHA256 = source_sha256
            monkeypatch.setitem(sys.modules, module.__name__, module)
            modules.append(module)
        return modules

    return plant


def test_where_there_is_a_compiler_the_hot_path_is_compiled_from_this_source():
    """Fails when the compiled copy is missing or stale: packaging/set-up.sh python mends both."""
    kind = hot_path.choose("")[1]
    assert kind == "compiled" or not can_compile(), f"{kind}: run packaging/set-up.sh python"


def test_compiled_copies_of_these_sources_are_taken(planted):
    modules = planted(hot_path.digest())
    assert hot_path.choose("") == (modules, "compiled")


def test_compiled_copies_of_other_sources_are_left_alone(planted):
    planted("0" * 64)
    assert hot_path.choose("") == (PLAIN, "plain Python (the compiled copy is of another source)")


def test_without_compiled_copies_the_sources_run_as_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "diameter_proxy._express_compiled", None)
    assert hot_path.choose("") == (PLAIN, "plain Python (not compiled)")


def test_the_plain_one_can_be_asked_for(planted):
    planted(hot_path.digest())
    assert hot_path.choose("plain") == (PLAIN, "plain Python (asked for)")


@pytest.mark.parametrize("number, name", [(0, "locate"), (0, "Unreadable"), (8, "Pending"), (-1, "ExpressLane")])
def test_everything_of_the_hot_path_is_reached_through_the_choice(number, name):
    assert getattr(hot_path, name) is getattr(hot_path.modules[number], name)


def test_what_is_compiled_are_extension_modules():
    modules, kind = hot_path.choose("")
    suffixes = tuple(EXTENSION_SUFFIXES)
    assert all(str(module.__file__).endswith(suffixes) == (kind == "compiled") for module in modules)


HOT_TESTS = (
    "express_lane",
    "express_lane_limits",
    "express_lane_meanwhile",
    "express_lane_runs",
    "express_lane_shows",
    "returning",
    "form_learning",
    "express",
    "forms",
    "form_table",
    "templates",
    "ready_sets",
    "session_ids",
    "outlets",
    "splice",
    "duplicates",
    "remembered",
    "pending",
    "deadlines",
    "counters",
    "proxy",
)


def test_the_same_tests_pass_on_plain_python():
    """The hot path's tests run compiled where it is; here they run on the source."""
    files = [str(ROOT / f"tests/unit/diameter_proxy/test_{name}.py") for name in HOT_TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    child = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "MC_HOT_PATH": "plain"}, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout[-3000:]
    assert " passed" in child.stdout
