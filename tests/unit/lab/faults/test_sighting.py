"""Looking out for a message of a host that is not there is refused; tests/lab/test_lab_faults.py sees one."""

from pathlib import Path

import pytest

from lab.faults.fault import FaultError, Seen
from lab.faults.sighting import Sighting
from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime.netns import NetnsRuntime
from lab.supervisor.lab import Lab
from lab.supervisor.timeline import Timeline
from lab.topology import load_topology


async def test_a_host_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = Files(RunDirectory(tmp_path / "run"), "ffff")
    files.run.make()
    topology = load_topology().restricted_to(("mc1",), ("ue1",))
    timeline = Timeline(files.run.timeline)
    lab = Lab(topology, NetnsRuntime("ffff", topology, files.run.hosts_file), files, timeline)
    with pytest.raises(FaultError, match=r"no host proxy1\.mc9"):
        await Sighting.start(lab, Seen("MAR", receiver="proxy1.mc9"))
    timeline.close()
