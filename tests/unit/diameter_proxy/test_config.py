"""``proxy.toml``: every fault is one line that names the path."""

import copy
import os
import re
from pathlib import Path

import pytest

from diameter_proxy.config import ConfigError, load_config, parse_config
from diameter_proxy.routing import Source
from tests.unit.diameter_proxy.conftest import MINIMAL

GOOD = {
    "node": {"origin_host": "Proxy1.MC1.lab", "origin_realm": "ims.mc1.lab", "system": "mc1"},
    "listeners": [{"address": "127.0.0.1", "port": 0}],
    "peers": [
        {"host": "icscf.mc1.lab", "realm": "ims.mc1.lab", "group": "cscf"},
        {"host": "hss.mc1.lab", "realm": "ims.mc1.lab", "group": "hss", "connect": True, "address": "127.0.0.1"},
    ],
}


def changed(path, value):
    tables = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    table = tables
    for part in parents:
        table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
    table[int(last) if isinstance(table, list) else last] = value
    return tables


def test_a_good_file_becomes_what_node_and_proxy_are_told():
    config = parse_config(GOOD)
    assert config.node_config().origin_host == "proxy1.mc1.lab"
    assert config.neighbours().of_class(Source.HSS) == ("hss.mc1.lab",)
    settings = config.settings(b"")
    assert settings.home_domains == {b"ims.mc1.lab"}
    assert not settings.has_feed
    assert settings.hiding_domains == (b"ims.mc1.lab", b"mc1.lab")


PARTNER = {"host": "proxy1.mc2.lab", "realm": "ims.mc2.lab", "group": "partner", "system": "mc2"}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("listeners.0.port", 70000, "listeners.0.port: 70000 is more than 65535"),
        ("node.colour", "red", "node.colour: no such setting"),
        ("node.origin_host", "", "node.origin_host: String should have at least 1 character"),
        ("budgets.hss_s", 1.4, "budgets: csc_y_s must be more than hss_s: budgets fall from hop to hop"),
        ("budgets.look_up_s", 1.0, "budgets: look_up_s does not fit"),
        ("budgets.attempt_s", 0, "budgets.attempt_s: 0 is not more than 0"),
        ("limits.avps", 3, "limits.avps: 3 is less than 16"),
        ("node.awake_us", 1001, "node.awake_us: 1001 is more than 1000"),
        ("node.awake_us", -1, "node.awake_us: -1 is less than 0"),
        ("peers.1", PARTNER, "peers.1: CSC-Y is TLS"),
        (
            "peers.1",
            {**PARTNER, "system": None, "allow_plain": True},
            "peers.1: a partner needs the name of its system, or vouches_for where it is an agent, here or in groups",
        ),
        ("groups.scscf", {"commands": ["UAR"]}, "groups.scscf: Input should be 'cscf', 'hss', 'mms', 'partner' or"),
        ("groups.cscf.colour", "red", "groups.cscf.colour: no such setting"),
        ("groups.cscf.commands", ["ULR"], "groups.cscf.commands.0: Input should be 'UAR', 'SAR'"),
        ("groups.hss.burst", 0, "groups.hss.burst: 0 is less than 1"),
        ("groups.hss.vouches_for", {"mc2": "r"}, "groups.hss.vouches_for: only a partner vouches for systems"),
        ("peers.1", {**PARTNER, "tls": True}, "peers.1: tls needs the peer's ca"),
        (
            "peers.1",
            {**PARTNER, "vouches_for": {"mc3": "r"}, "allow_plain": True},
            "peers.1: vouches_for is for a partner",
        ),
        ("routing.rules", [{"name": "r", "peers": ["x.lab"]}], "routing.rules.0.peers: no peer x.lab"),
        ("peers.1.realms", ["r.lab"], "peers.1: realms is for a peer of the group agent"),
        ("peers.1.weight", 101, "peers.1.weight: 101 is more than 100"),
        ("listeners.0.transport", "sctp", "listeners.0.transport: sctp is not there: Diameter runs over TCP here"),
        ("peers.1.transport", "sctp", "peers.1.transport: sctp is not there"),
        ("peers.1.transport", "udp", "peers.1.transport: tcp is the only transport"),
        ("peers.1.tls_1_2", True, "peers.1: tls_1_2 is for a peer with tls, and CSC-Y is TLS 1.3"),
        ("peers.1.host", "icscf.mc1.lab", "peers: icscf.mc1.lab stands twice"),
        ("peers.1.host", "proxy1.mc1.lab", "peers: proxy1.mc1.lab is ourselves"),
        ("listeners.0.tls", True, "tls is missing"),
        ("feed", {"url": "http://127.0.0.1"}, "hss.server_name is missing"),
        ("routing.default_route", "x.lab", "routing.default_route: no peer x.lab"),
        ("tls", {"certificate": "/no/such.pem", "private_key": "/no/such.pem"}, "tls.certificate: no such file"),
        ("metrics.listen", "here", "metrics.listen: String should match"),
        ("metrics.listen", "127.0.0.1:99999", "metrics.listen: port 99999 is more than 65535"),
        ("metrics.listen", "aaaa:1", "metrics.listen: 'aaaa' does not appear to be an IPv4 or IPv6 address"),
        ("listeners.0.port", True, "listeners.0.port: Input should be a valid integer"),
        ("peers.1.port", "3868", "peers.1.port: Input should be a valid integer"),
        ("limits.pending", True, "limits.pending: Input should be a valid integer"),
        ("groups.hss.burst", 5.0, "groups.hss.burst: Input should be a valid integer"),
        ("admin.socket", "/tmp", "admin.socket: /tmp is a directory, not a socket: name another path"),
        ("feed", {"url": "http://127.0.0.1", "state": "/dev/null"}, "feed.state: /dev/null is a character device, not"),
        ("hiding", {"groups": ["cscf"]}, "hiding.keys is missing: names are to be hidden from icscf.mc1.lab"),
        ("hiding.groups", ["partner"], "hiding.groups.0: Input should be"),
        ("node", {}, "node.origin_host: is missing"),
        ("limits.look_ups_per_s", float("inf"), "limits.look_ups_per_s: inf is no finite number"),
        ("limits.look_ups_per_s", float("nan"), "limits.look_ups_per_s: nan is no finite number"),
        ("budgets.attempt_s", float("nan"), "budgets.attempt_s: nan is no finite number"),
        ("groups.hss.requests_per_s", float("inf"), "groups.hss.requests_per_s: inf is no finite number"),
        ("peers.1.requests_per_s", float("inf"), "peers.1.requests_per_s: inf is no finite number"),
    ],
)
def test_a_fault_is_one_line_that_names_the_path(path, value, text):
    with pytest.raises(ConfigError) as caught:
        parse_config(changed(path, value))
    assert str(caught.value).startswith(f"proxy.toml: {text}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_toml_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "proxy.toml").write_text("[[[")
    with pytest.raises(ConfigError, match=r"^proxy\.toml: "):
        load_config(tmp_path / "proxy.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "port = " + "9" * 5000,
            "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits",
        ),
        ("a = " + "[" * 20_000, "arrays or tables are nested too deep"),
        ("a = " + "{a=" * 20_000, "arrays or tables are nested too deep"),
    ],
    ids=["digits", "arrays", "tables"],
)
def test_what_toml_allows_and_python_does_not_read_is_one_line(tmp_path, text, says):
    (tmp_path / "proxy.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "proxy.toml")
    assert str(caught.value) == f"proxy.toml: {says}"


def test_a_number_of_more_digits_than_python_writes_is_refused_without_them(tmp_path):
    (tmp_path / "proxy.toml").write_text(f"{MINIMAL}port = 0x{'f' * 5000}\n")
    with pytest.raises(ConfigError, match=r"^proxy\.toml: peers\.0\.port: it is more than 65535$"):
        load_config(tmp_path / "proxy.toml")


def test_what_is_no_file_is_never_opened(tmp_path):
    """Who opens a FIFO waits for somebody to write into it."""
    os.mkfifo(tmp_path / "fifo")
    for path, kind in (
        (tmp_path / "fifo", "a FIFO"),
        (tmp_path, "a directory"),
        (Path("/dev/zero"), "a character dev"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(caught.value).startswith(f"{path} is {kind}")


def test_a_pipe_that_our_caller_has_opened_is_read(tmp_path):
    (tmp_path / "proxy.toml").write_text(MINIMAL)
    (tmp_path / "link.toml").symlink_to("proxy.toml")
    assert load_config(tmp_path / "link.toml").node.origin_host == "proxy1.mc1.lab"
    read, write = os.pipe()
    with os.fdopen(write, "w") as writer:
        writer.write(MINIMAL)
    try:
        assert load_config(Path(f"/dev/fd/{read}")).node.origin_host == "proxy1.mc1.lab"
    finally:
        os.close(read)


@pytest.mark.parametrize(
    ("listeners", "metrics", "says"),
    [
        (["127.0.0.1", "127.0.0.1"], "127.0.0.1:9090", "listeners.1: port 3868 of 127.0.0.1 is that of listeners.0"),
        (["127.0.0.1", "0.0.0.0"], "127.0.0.1:9090", "listeners.1: port 3868 of 0.0.0.0 is that of listeners.0"),
        (["127.0.0.2", "127.0.0.1"], "127.0.0.1:3868", "metrics.listen: port 3868 of 127.0.0.1 is that of listeners.1"),
        (["::1"], "[::]:3868", "metrics.listen: port 3868 of :: is that of listeners.0"),
    ],
)
def test_one_address_for_two_doors_is_refused(listeners, metrics, says):
    tables = {**GOOD, "listeners": [{"address": address} for address in listeners], "metrics": {"listen": metrics}}
    with pytest.raises(ConfigError, match=f"^proxy.toml: {re.escape(says)} already: take another one$"):
        parse_config(tables)


def test_free_ports_and_other_addresses_do_not_collide():
    rows = [("127.0.0.1", 3868), ("127.0.0.2", 3868), ("::", 3868), ("127.0.0.1", 0), ("127.0.0.1", 0)]
    tables = {**GOOD, "listeners": [{"address": address, "port": port} for address, port in rows]}
    assert len(parse_config({**tables, "metrics": {"listen": "127.0.0.1:0"}}).listeners) == len(rows)


def test_a_relative_path_lies_beside_the_file(tmp_path):
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch()
    config = parse_config({**GOOD, "tls": {"certificate": "c.pem", "private_key": "k.pem"}}, folder=tmp_path)
    assert config.node_config().certificate == tmp_path / "c.pem"


def test_a_proxy_that_may_take_lent_identities_for_native_ones_is_warned_of():
    """Its first start without its MMS would pass them on to the HSS; `state` alone helps only from the second on."""
    hss = {"server_name": "sip:scscf.mc1.lab"}
    feed = {"url": "http://127.0.0.1", "state": "/var/lib/x/range.json"}
    (line,) = [line for line in parse_config({**GOOD, "hss": hss, "feed": feed}).warnings() if "feed" in line]
    assert line.endswith("set lent_prefix")
    told = parse_config({**GOOD, "hss": hss, "feed": {**feed, "lent_prefix": "mig-"}}).warnings()
    assert not any("feed" in line for line in told)
    assert not any("feed" in line for line in parse_config(GOOD).warnings())


def test_a_group_is_stated_once_and_a_row_may_say_otherwise():
    tables = changed("groups.cscf", {"commands": ["UAR", "MAR"], "requests_per_s": 50})
    tables["peers"].append({**GOOD["peers"][0], "host": "scscf.mc1.lab", "commands": ["SAR"]})
    config = parse_config(tables)
    found = config.neighbours().by_host
    assert found["icscf.mc1.lab"].limits == ("commands = UAR MAR (groups.cscf)", "requests_per_s = 50 (groups.cscf)")
    assert found["scscf.mc1.lab"].limits == ("commands = SAR (its own row)", "requests_per_s = 50 (groups.cscf)")
    assert (found["hss.mc1.lab"].limits, found["hss.mc1.lab"].permit) == ((), None)


def test_two_agents_of_one_group_vouch_for_the_same_systems():
    tables = changed("groups.partner", {"vouches_for": {"mc2": "ims.mc2.lab"}})
    row = {"realm": "transit.lab", "group": "partner", "allow_plain": True}
    tables["peers"] += [{**row, "host": "dra1.transit.lab"}, {**row, "host": "dra2.transit.lab"}]
    neighbours = parse_config(tables).neighbours()
    assert neighbours.of_system("mc2") == ("dra1.transit.lab", "dra2.transit.lab")


def test_a_group_without_a_peer_is_warned_of():
    config = parse_config(changed("groups", {"agent": {"commands": ["LIR"]}, "cscf": {}}))
    assert [line for line in config.warnings() if "groups" in line] == ["groups.agent: no peer is of this group"]


def test_metrics_have_an_address_and_a_port():
    config = parse_config({**GOOD, "metrics": {"listen": "[::1]:9090"}})
    assert config.metrics.address_and_port == ("::1", 9090)
