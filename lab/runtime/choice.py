"""The runtimes by the names that ``--runtime`` takes."""

from typing import Final

from lab.render.files import Files
from lab.runtime.runtime import Runtime
from lab.topology import Topology

RUNTIMES: Final = ("netns", "containers")


def runtime_named(name: str, topology: Topology, files: Files) -> Runtime:
    """Return a runtime for one lab; only what that one takes is loaded."""
    if name == "containers":
        from lab.runtime.containers import ContainerRuntime

        return ContainerRuntime(files.lab_id, topology, files)
    from lab.runtime.netns import NetnsRuntime

    return NetnsRuntime(files.lab_id, topology, files.run.hosts_file)
