"""Agents of the SIP cores: what our proxy and freeDiameter are told, and who connects to whom."""

from pathlib import Path

import pytest

from diameter_proxy.config import load_config
from diameter_proxy.routing import Source
from lab.render import agents
from lab.render.files import Files
from lab.render.programs import render_lab
from lab.run_directory import RunDirectory
from lab.topology import Topology, load_topology


def lab(kind: str) -> Topology:
    settings = {"systems.mc1.agents": kind, "systems.mc2.agents": kind}
    return load_topology(settings=settings).restricted_to(("mc1", "mc2"))


def rendered(kind: str, folder: Path) -> Files:
    run = RunDirectory(folder)
    run.make()
    files = Files(run, "ab12")
    programs = {program.host: program for program in render_lab(lab(kind), files)}
    assert {"edge.mc1", "edge.mc2", "dra.mc1", "dra.mc2"} <= set(programs)
    assert programs["dra.mc1"].needs == ("hss.mc1",)
    assert (programs["edge.mc1"].needs, programs["edge.mc2"].needs) == (("edge.mc2",), ())
    assert (programs["edge.mc1"].ready == "log") is (kind == "freediameter")
    return files


def test_our_proxy_takes_its_files_as_a_plain_relay(tmp_path: Path) -> None:
    files = rendered("diameter-proxy", tmp_path)
    for host in ("edge.mc1", "edge.mc2", "dra.mc1", "dra.mc2"):
        config = load_config(files.etc(host) / "proxy.toml")
        assert config.feed is None
        assert {peer.group for peer in config.peers} == {"agent"}
        assert all(peer.tls for peer in config.peers) is host.startswith("edge")
    edge = load_config(files.etc("edge.mc2") / "proxy.toml").neighbours()
    assert edge.toward(b"ims.mc1.lab") == ("edge.mc1.lab",)
    assert edge.toward(b"ims.mc2.lab") == ("proxy1.mc2.lab", "proxy2.mc2.lab")


@pytest.mark.parametrize("kind", ["freediameter", "diameter-proxy"])
def test_the_proxies_know_the_edge_that_vouches_and_the_dra_before_the_hss(kind: str, tmp_path: Path) -> None:
    files = rendered(kind, tmp_path)
    neighbours = load_config(files.etc("proxy1.mc1") / "proxy.toml").neighbours()
    assert neighbours.of_system("mc2") == ("edge.mc1.lab",)
    assert neighbours.by_host["edge.mc1.lab"].system_of(b"ims.mc2.lab") == "mc2"
    assert neighbours.of_class(Source.HSS) == ("dra.mc1.lab",)
    assert 'peers = ["dra.mc1.lab"]' in (files.etc("hss.mc1") / "hss.toml").read_text()


def test_freediameter_knows_its_peers_and_prefers_the_hss(tmp_path: Path) -> None:
    files = rendered("freediameter", tmp_path)
    edge = (files.etc("edge.mc1") / "freediameter.conf").read_text()
    assert 'ConnectPeer = "edge.mc2.lab" { ConnectTo = "10.77.2.8"; Port = 5868; };' in edge
    assert "ConnectPeer" not in (files.etc("edge.mc2") / "freediameter.conf").read_text()
    assert edge.count("TLS_CA") == 2
    assert "rt_default" not in edge
    assert (files.etc("edge.mc1") / "peers.conf").read_text().splitlines() == [
        "proxy1.mc1.lab",
        "proxy2.mc1.lab",
        "edge.mc2.lab",
    ]
    dra = (files.etc("dra.mc1") / "freediameter.conf").read_text()
    assert 'ConnectPeer = "hss.mc1.lab" { ConnectTo = "10.77.1.13"; Port = 3868; No_TLS; };' in dra
    assert (files.etc("dra.mc1") / "routes.conf").read_text() == '* : "hss.mc1.lab" += 100 ;\n'
    assert "ALLOW_IPSEC hss.mc1.lab" in (files.etc("dra.mc1") / "peers.conf").read_text()
    assert agents.free_diameter_argv(Path("x"))[-1] == "x"
