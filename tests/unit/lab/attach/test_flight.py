"""What a pre-flight check looks at on this side: names in this machine's DNS, certificates of ours.

tests/lab/test_attach.py flies the whole of it against a core that is elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.attach.config import load_attachment, settings_of
from lab.attach.flight import WITH_CERTIFICATES, certificates, names
from lab.attach.preflight import judge_name
from lab.render.files import Files
from lab.render.tls import SystemAuthority
from lab.run_directory import RunDirectory
from lab.runtime.netns import NetnsRuntime
from lab.supervisor.lab import Lab
from lab.supervisor.timeline import Timeline
from lab.topology import load_topology

CORE = (Path(__file__).parents[3] / "lab" / "cores" / "attach.toml").read_text()


def attached(folder: Path, text: str) -> Lab:
    """Return a lab that is not up, with the core of an ``attach.toml`` as its second system."""
    file = folder / "attach.toml"
    file.write_text(text)
    files = Files(RunDirectory(folder / "run"), "ffff")
    files.run.make()
    settings = settings_of(load_attachment(file), "ue1")
    topology = load_topology(settings=settings).restricted_to(("mc1", "visited"), ("ue1",))
    timeline = Timeline(files.run.timeline)
    return Lab(topology, NetnsRuntime("ffff", topology, files.run.hosts_file), files, timeline)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = attached(tmp_path, CORE)
    yield made
    made.timeline.close()


def issue(lab: Lab, role: str, *given: str) -> None:
    """Write a certificate for a host of ours at the core, by a CA of the core's."""
    folder = lab.files.etc(f"{role}.visited")
    folder.mkdir(parents=True, exist_ok=True)
    SystemAuthority("visited", lab.files.run.tls).issue(*given, folder=folder)


async def test_names_that_dns_does_not_know_are_those_of_the_file(lab: Lab) -> None:
    findings = await names(lab, "visited")
    assert len(findings) == 4
    assert all(one.ok and "not in this machine's DNS" in one.detail for one in findings)
    assert {one.what for one in findings} >= {"DNS hss-a.visited.example", "DNS p-cscf-1.visited.example"}


async def test_a_name_with_another_address_in_dns_is_a_finding(tmp_path: Path) -> None:
    lab = attached(tmp_path, CORE.replace("hss-a.visited.example", "localhost"))
    try:
        (finding,) = [one for one in await names(lab, "visited") if one.what == "DNS localhost"]
    finally:
        lab.timeline.close()
    wanted = str(lab.topology.address("visited", "hss"))
    assert finding == judge_name("localhost", wanted, ["127.0.0.1"])
    assert not finding.ok


def test_each_of_ours_must_have_its_own_name_in_its_certificate(lab: Lab) -> None:
    for role in WITH_CERTIFICATES:
        issue(lab, role, lab.topology.host("visited", role).name)
    assert [one.ok for one in certificates(lab, "visited")] == [True] * len(WITH_CERTIFICATES)
    issue(lab, "mms", "mms.elsewhere.example", "other.example")
    (bad,) = [one for one in certificates(lab, "visited") if not one.ok]
    assert bad.detail == "SAN mms.elsewhere.example, other.example"
    assert bad.mend == "issue it with the host's name as a DNS name in the SAN"
