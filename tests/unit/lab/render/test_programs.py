"""Every rendered file is one that its program accepts, and a host runs what its role says."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from lab.render.files import Files
from lab.render.program import Program
from lab.render.programs import hosts_text, render_lab
from lab.run_directory import RunDirectory
from lab.systems.hss.config import load_config as load_hss
from lab.systems.idms.config import load_config as load_idms
from lab.topology import Topology, load_topology
from mmserver.configuration.config import load_config as load_cms
from mmserver.migration.config import load_config as load_mms
from ue_agent.config import load_config as load_ue

TWO = load_topology().restricted_to(("mc1", "mc2"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, dict[str, Program]]:
    return render(TWO, tmp_path_factory.mktemp("run"))


def render(topology: Topology, folder: Path) -> tuple[Files, dict[str, Program]]:
    run = RunDirectory(folder)
    run.make()
    files = Files(run, "ab12")
    return files, {program.host: program for program in render_lab(topology, files)}


def test_each_host_has_its_program(rendered: tuple[Files, dict[str, Program]]) -> None:
    assert sorted(rendered[1]) == sorted(host.key for host in TWO.hosts())


def test_the_hss_takes_its_file_and_knows_isim_and_migration_sets(rendered: tuple[Files, dict[str, Program]]) -> None:
    config = load_hss(rendered[0].etc("hss.mc1") / "hss.toml")
    alice = next(user for user in config.users if user.name == "alice")
    assert [row.private_user_identity for row in alice.impis] == [
        "001010000000001@ims.mc1.lab",
        "mig-p5xw0c8jr3kd7qhz1vtn@ims.mc1.lab",
        "mig-u2fg6yb9sm4eo1liak8r@ims.mc1.lab",
    ]
    assert config.node.peers == ("proxy1.mc1.lab", "proxy2.mc1.lab")


def test_a_set_that_was_forgotten_in_the_hss_is_the_mms_s_alone(tmp_path: Path) -> None:
    forgotten = {"users.alice.migration_sets.0.known_to_hss": False}
    files, _ = render(load_topology(settings=forgotten).restricted_to(("mc1", "mc2")), tmp_path)
    alice = next(user for user in load_hss(files.etc("hss.mc1") / "hss.toml").users if user.name == "alice")
    first = "mig-p5xw0c8jr3kd7qhz1vtn@ims.mc1.lab"
    assert first not in {row.private_user_identity for row in alice.impis}
    sets = load_mms(files.etc("mms.mc1") / "mms.toml").allocation.primary.sets
    assert first in {one.private_user_identity for one in sets}


def test_the_idms_takes_its_file_and_its_partners_keys(rendered: tuple[Files, dict[str, Program]]) -> None:
    config = load_idms(rendered[0].etc("idms.mc1") / "idms.toml")
    assert [partner.issuer for partner in config.partners] == ["https://idms.mc2.lab"]
    assert config.partners[0].jwks_file.is_file()


def test_the_mms_takes_its_file_with_sets_for_partners_in_the_lab_only(
    rendered: tuple[Files, dict[str, Program]],
) -> None:
    config = load_mms(rendered[0].etc("mms.mc1") / "mms.toml")
    assert {one.partner for one in config.allocation.primary.sets} == {"mc2"}
    assert config.allocation.primary.is_provisioned
    files = [str(rendered[0].etc(f"mms.{system}") / "mms.toml") for system in ("mc1", "mc2")]
    assert rendered[1]["mms.mc1"].before[0][-5:] == ("upgrade", "--config", files[0], "--config", files[1])
    assert rendered[1]["mms.mc1"].before == rendered[1]["mms.mc2"].before, "one command makes both stores"


def test_the_cms_takes_its_file_and_knows_where_its_partner_serves(
    rendered: tuple[Files, dict[str, Program]],
) -> None:
    config = load_cms(rendered[0].etc("cms.mc1") / "cms.toml")
    assert config.partners[0].service_area.ecgi == ("00102-0000201", "00102-0000202")
    assert config.initial_ue_configuration.trust_anchors[0].startswith("-----BEGIN CERTIFICATE")


def test_an_agreement_is_rendered_with_its_end_its_configuration_data_and_whom_the_partner_vouches_for(
    tmp_path: Path,
) -> None:
    terms = {"valid_until": "2026-01-01T00:00:00Z", "static": True, "vouched_users": ["sip:carol@mc1.lab"]}
    settings = {f"systems.mc2.agreements.mc1.{name}": value for name, value in terms.items()}
    files, _ = render(load_topology(settings=settings).restricted_to(("mc1", "mc2")), tmp_path)
    primary, partner = (load_cms(files.etc(f"cms.{system}") / "cms.toml").partners[0] for system in ("mc1", "mc2"))
    assert (partner.static, partner.valid_until) == (True, datetime(2026, 1, 1, tzinfo=UTC))
    assert primary.initial_ue_configuration is not None
    assert primary.initial_ue_configuration.mc_system == "mc2"
    assert partner.initial_ue_configuration is None
    vouching = load_idms(files.etc("idms.mc2") / "idms.toml").partners[0]
    assert (vouching.mc_service_id_mapping, list(vouching.mc_service_ids)) == ("listed", ["sip:carol@mc1.lab"])


def test_two_instances_of_an_mms_share_a_store_and_a_name_and_the_proxies_know_both(tmp_path: Path) -> None:
    settings = {"systems.mc2.mms_instances": 2}
    files, programs = render(load_topology(settings=settings).restricted_to(("mc1", "mc2")), tmp_path)
    first, second = (load_mms(files.etc(f"{role}.mc2") / "mms.toml") for role in ("mms", "mms2"))
    assert first.store.url == second.store.url
    assert first.system.identifier == second.system.identifier == "mms.mc2.lab"
    assert (first.http.address, second.http.address) == ("10.77.2.16", "10.77.2.20")
    assert programs["mms.mc2"].before == programs["mms2.mc2"].before
    proxy = tomllib.loads((files.etc("proxy1.mc2") / "proxy.toml").read_text())
    assert [peer["host"] for peer in proxy["peers"] if peer["group"] == "mms"] == ["mms.mc2.lab", "mms2.mc2.lab"]
    assert proxy["feed"]["alternates"] == ["https://mms2.mc2.lab"]
    assert "10.77.2.20 mms2.mc2.lab mms2.mc2 mms.mc2.lab\n" in files.run.hosts_file.read_text()
    leaf = x509.load_pem_x509_certificate((files.etc("mms2.mc2") / "certificate.pem").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mms2.mc2.lab", "mms.mc2.lab"]


def test_the_ue_takes_its_file_and_takes_commands(rendered: tuple[Files, dict[str, Program]]) -> None:
    config = load_ue(rendered[0].etc("ue1") / "ue.toml")
    assert config.primary.system == "mc1"
    assert [host for host, program in rendered[1].items() if program.commands] == ["ue1", "ue2", "ue3"]


def test_cscfs_wait_for_those_they_connect_to(rendered: tuple[Files, dict[str, Program]]) -> None:
    programs = rendered[1]
    assert programs["scscf.mc1"].needs == ("proxy1.mc1", "proxy2.mc1")
    assert programs["pcscf.mc1"].needs == ()
    assert {programs[f"{role}.mc1"].ready for role in ("pcscf", "icscf", "scscf")} == {"log"}


def test_a_native_cores_cscfs_connect_to_the_hss(tmp_path: Path) -> None:
    topology = load_topology(settings={"systems.mc1.through_proxy": False}).restricted_to(("mc1",))
    files, programs = render(topology, tmp_path)
    assert programs["scscf.mc1"].needs == ("hss.mc1",)
    assert load_hss(files.etc("hss.mc1") / "hss.toml").node.peers == ("icscf.mc1.lab", "scscf.mc1.lab")


def test_an_mms_that_asks_the_hss_is_a_peer_of_it(tmp_path: Path) -> None:
    settings = {"systems.mc1.primary_allocation": "sip-database", "systems.mc2.partner_allocation": "pre-provisioned"}
    files, _ = render(load_topology(settings=settings).restricted_to(("mc1", "mc2")), tmp_path)
    mms = load_mms(files.etc("mms.mc1") / "mms.toml")
    assert mms.sip_database is not None
    assert (mms.sip_database.host, len(mms.allocation.primary.sets) > 0) == ("hss.mc1.lab", True)
    assert "mms.mc1.lab" in load_hss(files.etc("hss.mc1") / "hss.toml").node.peers
    other = load_mms(files.etc("mms.mc2") / "mms.toml")
    assert (other.sip_database, other.allocation.partner.mode) == (None, "pre-provisioned")


def test_a_ue_with_anothers_isim_and_one_with_a_wrong_key(tmp_path: Path) -> None:
    topology = load_topology(settings={"ues.ue1.isim_of": "carol", "ues.ue2.wrong_key": True})
    files, _ = render(topology.restricted_to(("mc1",)), tmp_path)
    odd, wrong = (load_ue(files.etc(ue) / "ue.toml") for ue in ("ue1", "ue2"))
    assert odd.user.username == "alice"
    assert odd.isim.private_user_identity == "001010000000002@ims.mc1.lab"
    assert wrong.isim.k.get_secret_value().hex() != topology.users["carol"].k


def test_the_topology_that_was_used_lies_in_the_run_directory(rendered: tuple[Files, dict[str, Program]]) -> None:
    assert load_topology(rendered[0].run.topology) == TWO


def test_files_with_keys_are_read_by_their_owner_only(rendered: tuple[Files, dict[str, Program]]) -> None:
    files = rendered[0]
    for file in (files.etc("hss.mc1") / "hss.toml", files.etc("ue1") / "ue.toml", files.run.topology):
        assert file.stat().st_mode & 0o077 == 0


def test_a_ue_is_named_at_home_and_abroad() -> None:
    lines = hosts_text(TWO).splitlines()
    assert lines[0] == "127.0.0.1 localhost"
    assert "10.77.1.11 ims.mc1.lab" in lines
    assert [line for line in lines if line.endswith(" ue1")] == ["10.77.1.21 ue1.lab ue1", "10.77.2.21 ue1.lab ue1"]
