"""``attach.toml`` becomes a topology; each mistake is one line that names the place and the mend."""

from pathlib import Path

import pytest

from lab.attach.config import AttachError, load_attachment, location_in, settings_of
from lab.topology import load_topology

WHOLE = (Path(__file__).parents[3] / "lab" / "cores" / "attach.toml").read_text()


def written(folder: Path, text: str) -> Path:
    file = folder / "attach.toml"
    file.write_text(text)
    return file


def test_the_core_is_a_system_whose_cscfs_and_hss_are_elsewhere(tmp_path: Path) -> None:
    attachment = load_attachment(written(tmp_path, WHOLE))
    topology = load_topology(settings=settings_of(attachment, "ue1")).restricted_to(("mc1", "visited"), ("ue1",))
    assert {host.key for host in topology.hosts() if host.system == "visited"} == {
        f"{role}.visited" for role in ("proxy1", "proxy2", "mms", "cms", "idms")
    }
    assert {host.name for host in topology.hosts_elsewhere()} == {
        "p-cscf-1.visited.example",
        "i-cscf-1.visited.example",
        "s-cscf-1.visited.example",
        "hss-a.visited.example",
    }
    assert str(topology.address("visited", "scscf")) == "10.99.9.112"
    assert str(topology.ue_address("ue1", "visited")) == "10.99.9.221"
    assert topology.host("visited", "proxy1").name == "dia1.mc.visited.example"
    assert location_in(attachment)["ecgi"] in topology.systems["visited"].service_area.ecgi
    assert "visited" in topology.partners_of("mc1")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "visited"', 'name = "mc1"', "core.name: mc1 is the lab's own system; take another name"),
        ('plmn = "99970"', 'plmn = "99970"\ncolour = "red"', "core.colour: no such setting; there are name, "),
        ('plmn = "99970"', "", "core.plmn: missing"),
        ('mms = "10.99.9.203"', "", "ours: mms missing: each needs a free address of core.network"),
        ('mms = "10.99.9.203"', 'mms = "10.99.8.203"', "ours.mms: 10.99.8.203 is not in core.network 10.99.9.0/24"),
        ('mms = "10.99.9.203"', 'mms = "10.99.9.113"', "ours.mms: 10.99.9.113 is that of core.hss.address already"),
        (
            'ue = "10.99.9.221"',
            'ue = "10.99.9.221"\nhss = "10.99.9.7"',
            "ours.hss: nothing of ours; there are cms, idms",
        ),
        ('bridge = "br-visited"', "", "uplink: either interface, or bridge"),
        ('bridge = "br-visited"', 'interface = "eth1"', "uplink: namespace goes with bridge"),
        ("[names]", "[names]\nue = 'a.example'", "names.ue: nothing of ours"),
        ('"10.99.9.0/24"', '"10.99.9.1/24"', "core.network: "),
    ],
)
def test_a_mistake_names_place_and_mend(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(AttachError) as caught:
        load_attachment(written(tmp_path, WHOLE.replace(old, new)))
    text = str(caught.value)
    assert text.startswith("attach.toml: ")
    assert said in text
    assert "\n" not in text


def test_a_file_that_is_not_there_or_no_toml_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AttachError, match="No such file"):
        load_attachment(tmp_path / "none.toml")
    with pytest.raises(AttachError, match=r"attach\.toml: "):
        load_attachment(written(tmp_path, "[core"))
