"""Each name that ``--runtime`` takes is a runtime of that name."""

from pathlib import Path

import pytest

from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime.choice import RUNTIMES, runtime_named
from lab.topology import load_topology


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_has_its_name_and_its_tools(name: str, tmp_path: Path) -> None:
    runtime = runtime_named(name, load_topology(), Files(RunDirectory(tmp_path), "ab12"))
    assert runtime.name == name
    assert ("podman" in runtime.tools, runtime.brings_programs) == (name == "containers", name == "containers")
