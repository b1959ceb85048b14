"""The topology as a value: who is where, settings by path, and one-line errors that name the path."""

from pathlib import Path
from typing import Any

import pytest

from lab.topology import DEFAULT_FILE, TopologyError, load_topology


def test_the_lab_of_the_file_has_three_systems_built_alike() -> None:
    topology = load_topology()
    assert list(topology.systems) == ["mc1", "mc2", "mc3"]
    assert str(topology.address("mc2", "scscf")) == "10.77.2.12"
    assert topology.host("mc1", "proxy1").name == "proxy1.mc1.lab"


def test_two_systems_of_it_have_nine_hosts_each_and_their_ues() -> None:
    hosts = load_topology().restricted_to(("mc1", "mc2")).hosts()
    assert [host.key for host in hosts if host.system == "mc2"] == [
        *(f"{role}.mc2" for role in ("pcscf", "icscf", "scscf", "hss", "proxy1", "proxy2", "mms", "cms", "idms")),
        "ue3",
    ]
    assert [host.name for host in hosts if host.role == "ue"] == ["ue1.lab", "ue2.lab", "ue3.lab"]


def test_where_a_system_is_left_out_nobody_has_an_agreement_with_it() -> None:
    topology = load_topology()
    assert list(topology.partners_of("mc1")) == ["mc2", "mc3"]
    assert list(topology.restricted_to(("mc1", "mc2")).partners_of("mc1")) == ["mc2"]


def test_a_ue_keeps_its_octet_wherever_it_is() -> None:
    topology = load_topology()
    assert str(topology.ue_address("ue1", "mc1")) == "10.77.1.21"
    assert str(topology.ue_address("ue1", "mc2")) == "10.77.2.21"


def test_a_native_core_has_neither_proxy_nor_mms() -> None:
    topology = load_topology(settings={"systems.mc1.through_proxy": False}).restricted_to(("mc1",))
    assert not {host.role for host in topology.hosts()} & {"proxy1", "proxy2", "mms"}


def test_a_probe_is_there_when_a_scenario_wants_one() -> None:
    topology = load_topology(settings={"systems.mc2.probe": True})
    assert [str(host.address) for host in topology.hosts() if host.role == "probe"] == ["10.77.2.19"]


def test_settings_reach_into_lists() -> None:
    topology = load_topology(settings={"users.alice.migration_sets.0.public_user_identities": ["sip:x@ims.mc1.lab"]})
    assert topology.users["alice"].migration_sets[0].public_user_identities == ("sip:x@ims.mc1.lab",)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"systems.mc1.hss_mode": "odd"}, "topology.toml: systems.mc1.hss_mode: Input should be"),
        ({"systems.mc1.colour": 1}, "topology.toml: systems.mc1.colour: no such setting; there are network,"),
        ({"systems.mc2.network": "10.77.1.0/24"}, "topology.toml: systems.mc2.network: 10.77.1.0/24 overlaps"),
        ({"systems.mc2.network": "10.78.0.0/16"}, "topology.toml: systems.mc2.network: 10.78.0.0/16: wanted 24 bits"),
        ({"ues.ue1.user": "zoe"}, "topology.toml: ues.ue1.user: no user zoe"),
        ({"ues.ue1.isim_of": "zoe"}, "topology.toml: ues.ue1.isim_of: no user zoe"),
        ({"ues.ue2.octet": 21}, "topology.toml: octet 21 stands twice"),
        ({"users.alice.system": "mc9"}, "topology.toml: users.alice.system: no system mc9"),
        (
            {"users.alice.isim.private_user_identity": "001010000000002@ims.mc1.lab"},
            "topology.toml: users.carol.isim: 001010000000002@ims.mc1.lab is that of alice already",
        ),
        ({"users.alice.isim.private_user_identity": "x"}, "topology.toml: users.alice.isim.private_user_identity"),
        ({"users.alice.migration_sets.9.partner": "mc2"}, "setting users.alice.migration_sets.9.partner: nothing at 9"),
        ({"users.alice.password.deep.er": 1}, "setting users.alice.password.deep.er: nothing at deep"),
        ({"users.alice.password.deep": 1}, "setting users.alice.password.deep: deep is not in a table"),
    ],
)
def test_what_is_impossible_is_named_with_its_path(settings: dict[str, str | int], reason: str) -> None:
    with pytest.raises(TopologyError, match="^" + reason.replace(".", r"\.")) as caught:
        load_topology(settings=settings)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_text("systems = [")
    with pytest.raises(TopologyError, match=r"^odd\.toml: "):
        load_topology(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="No such file"):
        load_topology(tmp_path / "none.toml")


def test_a_system_that_is_not_there_is_named() -> None:
    with pytest.raises(TopologyError, match="no system mc7; there are mc1, mc2, mc3"):
        load_topology().restricted_to(("mc7",))


def test_keys_do_not_show_in_a_representation() -> None:
    assert "465b5ce8" in DEFAULT_FILE.read_text()
    assert "465b5ce8" not in repr(load_topology())


def test_a_file_nested_without_end_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("zz=" + "[" * 3000 + "]" * 3000)
    with pytest.raises(TopologyError, match=r"deep\.toml"):
        load_topology(file)


def test_a_role_that_is_elsewhere_has_a_name_and_an_address_and_no_host() -> None:
    settings = {
        "systems.mc2.elsewhere": ["hss"],
        "systems.mc2.names": {"hss": "hss-a.example"},
        "systems.mc2.addresses": {"hss": "192.0.2.7", "ue1": "10.77.2.99"},
    }
    topology = load_topology(settings=settings)
    assert "hss.mc2" not in {host.key for host in topology.hosts()}
    (hss,) = topology.hosts_elsewhere()
    assert (hss.name, hss.lab_name, str(hss.address)) == ("hss-a.example", "hss.mc2.lab", "192.0.2.7")
    assert str(topology.ue_address("ue1", "mc2")) == "10.77.2.99"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"systems.mc2.elsewhere": ["hhs"]}, "systems.mc2.elsewhere: no role hhs"),
        ({"systems.mc2.uplink": {}}, "systems.mc2.uplink: either interface, or bridge"),
        ({"crowd.home": "mc9", "crowd.partner": "mc2", "crowd.users": 1}, "crowd: home and partner are systems"),
    ],
)
def test_what_is_elsewhere_must_be_known(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        load_topology(settings=settings)
