"""The lab's network as text: cables, the UE's move, what the router lets pass, one capture a frame."""

from lab.runtime import plan
from lab.topology import load_topology

TWO = load_topology().restricted_to(("mc1", "mc2"))


def test_a_namespace_a_host_and_one_each_for_switch_and_router() -> None:
    names = plan.namespaces(TWO, "ab12")
    assert names[:3] == ["mclab-ab12-switch", "mclab-ab12-router", "mclab-ab12-pcscf.mc1"]
    assert len(names) == 2 + len(TWO.hosts())


def test_interface_names_fit_the_kernel() -> None:
    added = [line.split()[2] for line in plan.switch_batch(TWO, "ab12").splitlines() if line.startswith("link add")]
    assert max(map(len, added)) <= 15
    assert len(added) == len(set(added))


def test_a_ue_moves_from_one_bridge_to_the_other_and_changes_its_address() -> None:
    switch, host = plan.move_batches(TWO, "ue1", "mc2")
    assert "link set ue1 master br-mc2" in switch
    assert host.splitlines()[0] == "addr flush dev eth0"
    assert "addr add 10.77.2.21/24 broadcast + dev eth0" in host
    assert host.splitlines()[-1] == "route replace default via 10.77.2.1"


def test_a_second_interface_brings_no_second_default_route() -> None:
    switch, host = plan.attach_batches(TWO, "ab12", "ue1", "mc1")
    assert "link add ue1.mc1 type veth peer name eth1 netns mclab-ab12-ue1" in switch
    assert "default" not in host


def test_the_router_lets_pass_proxies_cmss_and_ues_abroad_and_refuses_the_rest() -> None:
    rules = plan.router_rules(TWO)
    accepted = [line.strip() for line in rules.splitlines() if line.endswith("accept")]
    assert accepted == [
        "ct state established,related accept",
        "ip saddr { 10.77.1.14, 10.77.1.15 } ip daddr { 10.77.2.14, 10.77.2.15 } tcp dport 5868 accept",
        "ip saddr 10.77.1.17 ip daddr 10.77.2.17 tcp dport 443 accept",
        "ip saddr { 10.77.2.14, 10.77.2.15 } ip daddr { 10.77.1.14, 10.77.1.15 } tcp dport 5868 accept",
        "ip saddr 10.77.2.17 ip daddr 10.77.1.17 tcp dport 443 accept",
        "ip saddr { 10.77.2.21 } ip daddr { 10.77.1.18, 10.77.1.17 } tcp dport 443 accept",
        "ip saddr { 10.77.2.22 } ip daddr { 10.77.1.18, 10.77.1.17 } tcp dport 443 accept",
        "ip saddr { 10.77.1.23 } ip daddr { 10.77.2.18, 10.77.2.17 } tcp dport 443 accept",
    ]
    assert "policy drop" in rules


def test_terminating_sip_passes_only_where_a_system_asks_for_it() -> None:
    topology = load_topology(settings={"systems.mc2.terminating_sip": True}).restricted_to(("mc1", "mc2"))
    sip = [line.strip() for line in plan.router_rules(topology).splitlines() if "4060" in line]
    assert sip == [
        "ip saddr { 10.77.2.11, 10.77.2.12 } ip daddr 10.77.1.11 udp dport 4060 accept",
        "ip saddr { 10.77.2.11, 10.77.2.12 } ip daddr 10.77.1.11 tcp dport 4060 accept",
    ]


def test_each_bridge_leaves_out_what_other_systems_sent() -> None:
    assert plan.capture_filters(load_topology()) == [
        ("br-mc1", "not src net 10.77.2.0/24 and not src net 10.77.3.0/24"),
        ("br-mc2", "not src net 10.77.1.0/24 and not src net 10.77.3.0/24"),
        ("br-mc3", "not src net 10.77.1.0/24 and not src net 10.77.2.0/24"),
    ]
    assert plan.capture_filters(load_topology().restricted_to(("mc1",))) == [("br-mc1", "")]


def test_with_agents_only_the_edges_reach_each_other() -> None:
    settings = {"systems.mc1.agents": "freediameter", "systems.mc2.agents": "diameter-proxy"}
    topology = load_topology(settings=settings).restricted_to(("mc1", "mc2"))
    passed = [line.strip() for line in plan.router_rules(topology).splitlines() if "5868" in line]
    assert passed == [
        "ip saddr { 10.77.1.8 } ip daddr { 10.77.2.8 } tcp dport 5868 accept",
        "ip saddr { 10.77.2.8 } ip daddr { 10.77.1.8 } tcp dport 5868 accept",
    ]


def test_a_place_is_a_hosts_cable_or_that_of_a_system_to_the_router() -> None:
    assert (plan.port(TWO, "hss.mc1"), plan.port(TWO, "mc1")) == ("hss.mc1", "router.mc1")
    assert (plan.system_of(TWO, "hss.mc1"), plan.system_of(TWO, "mc2")) == ("mc1", "mc2")


def test_frames_are_lost_both_ways_and_the_rules_can_be_taken_away_where_there_are_none() -> None:
    rules = plan.loss_rules("router.mc1", 30)
    assert rules.count("numgen random mod 100 < 30 drop") == 2
    assert 'iifname "router.mc1"' in rules
    assert 'oifname "router.mc1"' in rules
    table = rules.split()[2]
    assert plan.no_loss_rules("router.mc1") == f"table bridge {table} {{ }}\ndelete table bridge {table}\n"


def test_an_uplink_is_an_interface_taken_in_or_a_cable_to_a_bridge() -> None:
    bridge = load_topology(settings={"systems.mc2.uplink": {"bridge": "br0", "namespace": "other"}})
    there, here = plan.uplink_batches(bridge, "ab12", "mc2")
    assert there == (
        "link add mclab-ab12 type veth peer name up.mc2 netns mclab-ab12-switch\n"
        "link set mclab-ab12 addrgenmode none master br0 up\n"
    )
    assert here == "link set up.mc2 addrgenmode none master br-mc2 up\n"
    interface = load_topology(settings={"systems.mc2.uplink": {"interface": "eth1"}})
    assert plan.uplink_batches(interface, "ab12", "mc2") == (
        "link set eth1 netns mclab-ab12-switch\n",
        "link set eth1 addrgenmode none master br-mc2 up\n",
    )
