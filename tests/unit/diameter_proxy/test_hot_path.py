"""The compiled hot path is taken only when it is of the very source that lies beside it, and means the same."""

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from diameter_proxy import hot_path, splice

ROOT = Path(__file__).resolve().parents[3]


def can_compile():
    return subprocess.run([sys.executable, "setup.py", "can_compile"], cwd=ROOT, check=False).returncode == 0


def planted(monkeypatch, source_sha256):
    compiled = ModuleType("diameter_proxy._splice_compiled")
    compiled.SOURCE_SHA256 = source_sha256
    monkeypatch.setitem(sys.modules, compiled.__name__, compiled)
    return compiled


def test_where_there_is_a_compiler_the_hot_path_is_compiled_from_this_source():
    """Fails when the compiled copy is missing or stale: packaging/set-up.sh python mends both."""
    kind = hot_path.choose(splice, "")[1]
    assert kind == "compiled" or not can_compile(), f"{kind}: run packaging/set-up.sh python"


def test_a_compiled_copy_of_this_source_is_taken(monkeypatch):
    compiled = planted(monkeypatch, hot_path.digest(splice))
    assert hot_path.choose(splice, "") == (compiled, "compiled")


def test_a_compiled_copy_of_another_source_is_left_alone(monkeypatch):
    planted(monkeypatch, "0" * 64)
    assert hot_path.choose(splice, "") == (splice, "plain Python (the compiled copy is of another source)")


def test_without_a_compiled_copy_the_source_runs_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "diameter_proxy._splice_compiled", None)
    assert hot_path.choose(splice, "") == (splice, "plain Python (not compiled)")


def test_the_plain_one_can_be_asked_for(monkeypatch):
    planted(monkeypatch, hot_path.digest(splice))
    assert hot_path.choose(splice, "plain") == (splice, "plain Python (asked for)")


@pytest.mark.parametrize("name", ["locate", "splice", "Unreadable", "SLOTS", "TGPP"])
def test_everything_of_the_hot_path_is_reached_through_the_choice(name):
    module = hot_path.choose(splice, "" if hot_path.KIND == "compiled" else "plain")[0]
    assert getattr(hot_path, name) is getattr(module, name)


def test_what_is_compiled_is_an_extension_module():
    module, kind = hot_path.choose(splice, "")
    assert str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES)) == (kind == "compiled")
