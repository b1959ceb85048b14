"""Values of a Kamailio CSCF: what is rendered from the topology, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from lab.render.kamailio import CONFIGURATION, PORTS, CscfValues, Endpoint, PartnerCore, Role, render_cscf

ROLES: tuple[Role, ...] = get_args(Role)

VALUES = CscfValues(
    domain="ims.mc1.lab",
    realm="ims.mc1.lab",
    pcscf=Endpoint("pcscf.mc1.lab", "10.77.1.10"),
    icscf=Endpoint("icscf.mc1.lab", "10.77.1.11"),
    scscf=Endpoint("scscf.mc1.lab", "10.77.1.12"),
    proxies=(Endpoint("proxy1.mc1.lab", "10.77.1.14"), Endpoint("proxy2.mc1.lab", "10.77.1.15")),
    partners=(
        PartnerCore("ims.mc2.lab", Endpoint("icscf.mc2.lab", "10.77.2.11"), Endpoint("scscf.mc2.lab", "10.77.2.12")),
    ),
)


def defines(directory: Path) -> dict[str, str]:
    """Return the preprocessor values of a rendered values.cfg."""
    text = (directory / "values.cfg").read_text()
    return dict(re.findall(r"^#!define (\w+) (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("role", ROLES)
def test_command_runs_kamailio_in_the_foreground_on_the_rendered_file(role: Role, tmp_path: Path) -> None:
    command = render_cscf(role, VALUES, tmp_path)
    assert command == ["kamailio", "-DD", "-E", "-m", "256", "-M", "8", "-f", str(tmp_path / "values.cfg")]


@pytest.mark.parametrize("role", ROLES)
def test_values_come_before_the_committed_logic_that_they_include(role: Role, tmp_path: Path) -> None:
    render_cscf(role, VALUES, tmp_path)
    last = (tmp_path / "values.cfg").read_text().splitlines()[-1]
    assert last == f'include_file "{CONFIGURATION / role / "kamailio.cfg"}"'
    assert (CONFIGURATION / role / "kamailio.cfg").is_file()


def test_a_checkout_too_deep_for_kamailio_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.render.kamailio.CONFIGURATION", Path("/" + "d" * 120))
    with pytest.raises(ValueError, match="Kamailio includes 127"):
        render_cscf("pcscf", VALUES, tmp_path)


@pytest.mark.parametrize("role", ROLES)
def test_role_listens_on_its_own_address_over_udp_and_tcp(role: Role, tmp_path: Path) -> None:
    render_cscf(role, VALUES, tmp_path)
    text = (tmp_path / "values.cfg").read_text()
    me = VALUES.endpoint(role)
    assert f"listen=udp:{me.address}:{PORTS[role]}\n" in text
    assert f"listen=tcp:{me.address}:{PORTS[role]}\n" in text
    assert f"alias={me.host}:{PORTS[role]}\n" in text


@pytest.mark.parametrize("role", ROLES)
def test_ready_line_names_what_the_role_listens_on(role: Role, tmp_path: Path) -> None:
    render_cscf(role, VALUES, tmp_path)
    address = VALUES.endpoint(role).address
    assert json.loads(defines(tmp_path)["READY_LINE"]) == {"event": "ready", "listen": [f"{address}:{PORTS[role]}"]}


@pytest.mark.parametrize("role", ["icscf", "scscf"])
def test_cdp_accepts_no_connection(role: Role, tmp_path: Path) -> None:
    """cdp 5.6.3 dies of 40 zero octets on a port that it accepts on."""
    render_cscf(role, VALUES, tmp_path)
    assert ElementTree.fromstring((tmp_path / "cdp.xml").read_text()).find("Acceptor") is None


@pytest.mark.parametrize("role", ["icscf", "scscf"])
def test_first_proxy_has_the_lowest_metric(role: Role, tmp_path: Path) -> None:
    render_cscf(role, VALUES, tmp_path)
    peer = ElementTree.fromstring((tmp_path / "cdp.xml").read_text())
    assert peer.attrib["FQDN"] == VALUES.endpoint(role).host
    assert [(node.attrib["FQDN"], node.attrib["Realm"]) for node in peer.iter("Peer")] == [
        ("proxy1.mc1.lab", "ims.mc1.lab"),
        ("proxy2.mc1.lab", "ims.mc1.lab"),
    ]
    metrics = [("proxy1.mc1.lab", "5"), ("proxy2.mc1.lab", "10")]
    assert [(node.attrib["FQDN"], node.attrib["metric"]) for node in peer.iter("Route")] == metrics
    assert [(node.attrib["FQDN"], node.attrib["metric"]) for node in peer.iter("DefaultRoute")] == metrics


def test_who_asks_over_cx_knows_its_peers_by_name(tmp_path: Path) -> None:
    """So that it can tell one that died with a request from a database that is silent."""
    render_cscf("scscf", VALUES, tmp_path / "two")
    render_cscf("icscf", replace(VALUES, proxies=VALUES.proxies[:1]), tmp_path / "one")
    render_cscf("pcscf", VALUES, tmp_path / "none")
    peers = [{k: v for k, v in defines(tmp_path / n).items() if k.startswith("CX_")} for n in ("two", "one", "none")]
    first = {"CX_PEER": '"proxy1.mc1.lab"'}
    assert peers == [{**first, "CX_OTHER_PEER": '"proxy2.mc1.lab"'}, first, {}]


def test_cdp_gives_up_before_the_scscf_before_the_icscf_before_the_pcscf(tmp_path: Path) -> None:
    """Equal timers would let a 408 win over the scripted 504."""
    render_cscf("scscf", VALUES, tmp_path)
    cdp = ElementTree.fromstring((tmp_path / "cdp.xml").read_text())
    waits_ms = [int(cdp.attrib["TransactionTimeout"]) * 1000]
    for role in ("scscf", "icscf", "pcscf"):
        text = (CONFIGURATION / role / "kamailio.cfg").read_text()
        waits_ms += [int(value) for value in re.findall(r'"fr_timer", (\d+)', text)]
    assert waits_ms == [2000, 6000, 9000, 12000]


def test_pcscf_speaks_no_diameter_and_has_the_table_of_its_subscriptions(tmp_path: Path) -> None:
    render_cscf("pcscf", VALUES, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["address.list", "db", "values.cfg"]
    assert sorted(path.name for path in (tmp_path / "db").iterdir()) == ["pua", "version"]
    assert "pua:7" in (tmp_path / "db" / "version").read_text().splitlines()


def test_own_cscfs_and_partner_cores_are_trusted_in_groups_of_their_own(tmp_path: Path) -> None:
    render_cscf("icscf", VALUES, tmp_path)
    lines = (tmp_path / "address.list").read_text().splitlines()
    trusted = [tuple(line.split()[:2]) for line in lines if not line.startswith("#")]
    assert trusted == [
        ("1", "10.77.1.10"),
        ("1", "10.77.1.11"),
        ("1", "10.77.1.12"),
        ("2", "10.77.2.11"),
        ("2", "10.77.2.12"),
    ]


def test_colons_are_escaped_in_the_text_database(tmp_path: Path) -> None:
    render_cscf("icscf", VALUES, tmp_path)
    assert r"1:scscf.mc1.lab:sip\:scscf.mc1.lab\:6060" in (tmp_path / "db" / "s_cscf").read_text()


def test_each_domain_has_its_next_core(tmp_path: Path) -> None:
    render_cscf("scscf", VALUES, tmp_path)
    rows = (tmp_path / "db" / "next_core").read_text().splitlines()[1:]
    assert rows == [r"1:ims.mc1.lab:0:0:sip\:10.77.1.11\:4060:0", r"2:ims.mc2.lab:0:0:sip\:10.77.2.11\:4060:0"]


def test_a_path_too_long_for_a_socket_leaves_the_control_socket_out(tmp_path: Path) -> None:
    render_cscf("pcscf", VALUES, tmp_path / "short")
    render_cscf("pcscf", VALUES, tmp_path / ("long" * 30))
    assert defines(tmp_path / "short").get("CONTROL_SOCKET") == f'"unix:{tmp_path}/short/kamailio.ctl"'
    assert "CONTROL_SOCKET" not in defines(tmp_path / ("long" * 30))


def test_rendering_again_gives_the_same_files(tmp_path: Path) -> None:
    render_cscf("scscf", VALUES, tmp_path)
    first = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    render_cscf("scscf", VALUES, tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == first


def test_values_without_a_proxy_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one Diameter proxy"):
        replace(VALUES, proxies=())


def test_log_level_that_hides_the_ready_line_is_refused() -> None:
    with pytest.raises(ValueError, match="would hide the ready line"):
        replace(VALUES, log_level=0)


@pytest.mark.parametrize("name", ["children", "tcp_children", "workers", "tc_s", "transaction_timeout_s"])
def test_nothing_of_a_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        replace(VALUES, **{name: 0})
