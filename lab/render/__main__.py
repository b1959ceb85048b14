"""``python -m lab.render DIRECTORY``: every file of a lab, without a lab; ``--compose``: the text of lab/compose.yaml.

What ``lab/compose.yaml`` runs first, in a container; podman-compose runs it again and again, so a directory that is
rendered whole is left as it is: programs have read its certificates.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.render.compose import LAB_ID, compose_text
from lab.render.files import Files
from lab.render.programs import render_lab
from lab.run_directory import RunDirectory
from lab.topology import Topology, load_topology

SYSTEMS = ("mc1", "mc2")


def main(arguments: Sequence[str]) -> int:
    """Render; exit 2 where it is not said where to."""
    topology = load_topology().restricted_to(SYSTEMS)
    if arguments == ["--compose"]:
        print(rendered_compose(topology), end="")
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("error: usage: python -m lab.render DIRECTORY | --compose", file=sys.stderr)
        return 2
    run = RunDirectory(Path(arguments[0]).absolute())
    if run.topology.exists():  # written last
        return 0
    run.make()
    render_lab(topology, Files(run, LAB_ID))
    return 0


def rendered_compose(topology: Topology) -> str:
    """Return the compose file of a topology: its programs are those of a lab rendered into a folder for a moment."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder).resolve())
        run.make()
        return compose_text(topology, render_lab(topology, Files(run, LAB_ID)), run.path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
