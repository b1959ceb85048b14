"""A place has one fault of a family at a time; what a lab cannot have is refused and leaves no fault.

tests/lab/test_lab_faults.py makes and mends each kind in a lab that is up.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.faults.fault import KINDS, Fault, FaultError
from lab.faults.injector import FAMILIES
from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime.netns import NetnsRuntime
from lab.supervisor.lab import Lab
from lab.supervisor.process import ProgramFailure
from lab.supervisor.timeline import Timeline
from lab.topology import load_topology


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab that is not up: it has no programs."""
    monkeypatch.setattr("lab.render.files.SOCKETS", tmp_path / "sockets")
    files = Files(RunDirectory(tmp_path / "run"), "ffff")
    files.run.make()
    topology = load_topology().restricted_to(("mc1",), ("ue1",))
    timeline = Timeline(files.run.timeline)
    yield Lab(topology, NetnsRuntime("ffff", topology, files.run.hosts_file), files, timeline)
    timeline.close()


def test_every_kind_has_a_family() -> None:
    assert list(FAMILIES) == list(KINDS)


@pytest.mark.parametrize("kind", [kind for kind, family in FAMILIES.items() if family == "program"])
async def test_a_host_without_a_program_has_no_fault_of_one(lab: Lab, kind: str) -> None:
    with pytest.raises(ProgramFailure, match=r"no program on hss\.mc1"):
        await lab.faults.begin(Fault(kind, "hss.mc1", skew_s=1))  # type: ignore[arg-type]
    assert lab.faults.active() == []


async def test_a_fault_that_cannot_be_made_is_none(lab: Lab) -> None:
    with pytest.raises(FaultError, match=r"hss\.mc1 takes no command"):
        await lab.faults.begin(Fault("hss-silent", "hss.mc1"))
    assert lab.faults.active() == []


async def test_what_is_not_there_cannot_be_ended(lab: Lab) -> None:
    with pytest.raises(FaultError, match=r"hss\.mc1 has no kill; faults now: none"):
        await lab.faults.end("kill", "hss.mc1")
    with pytest.raises(FaultError, match=r"hss\.mc1 has no dance"):
        await lab.faults.end("dance", "hss.mc1")  # type: ignore[arg-type]
    assert await lab.faults.end_all() == []
    await lab.faults.leave()
