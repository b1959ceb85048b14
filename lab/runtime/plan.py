"""The lab's network as text: what ``ip -batch`` and ``nft -f`` read to make it.

One namespace a host, one for the switch (a bridge a system; the capture sits here) and one for the router,
which is the only way from one system's network to another's.  Nothing of it lies in the machine's own
namespace, so two labs may use the same addresses.  Pure: text from a topology.
"""

from typing import Final

from lab.runtime.marks import PREFIX
from lab.topology import Topology

SWITCH: Final = "switch"
ROUTER: Final = "router"


def namespace(lab_id: str, host: str) -> str:
    """Return the name of a host's namespace."""
    return f"{PREFIX}-{lab_id}-{host}"


def bridge(system: str) -> str:
    """Return the name of a system's bridge, an interface of the switch."""
    return f"br-{system}"


def interfaces(topology: Topology) -> frozenset[str]:
    """Return the names that a lab gives to interfaces of its switch; none of them is ever one of this machine."""
    bridges = {bridge(system) for system in topology.systems}
    routers = {f"{ROUTER}.{system}" for system in topology.systems}
    return frozenset(bridges | routers | {host.key for host in topology.hosts()})


def namespaces(topology: Topology, lab_id: str) -> list[str]:
    """Return all namespaces of the lab."""
    return [namespace(lab_id, name) for name in (SWITCH, ROUTER, *(host.key for host in topology.hosts()))]


def switch_batch(topology: Topology, lab_id: str) -> str:
    """Return what makes bridges and cables, to be run in the switch's namespace."""
    lines = []
    for system in topology.systems:
        lines += [
            f"link add {bridge(system)} type bridge mcast_snooping 0",
            f"link set {bridge(system)} addrgenmode none up",
            *_cable(f"{ROUTER}.{system}", system, namespace(lab_id, ROUTER), bridge(system)),
        ]
    for host in topology.hosts():
        lines += _cable(host.key, host.system, namespace(lab_id, host.key), "eth0")
    return _text(lines)


def uplink_batches(topology: Topology, lab_id: str, system: str) -> tuple[str, str]:
    """Return what joins a system's bridge with what is outside: for there, then for the switch."""
    uplink = topology.systems[system].uplink
    assert uplink is not None
    switch = namespace(lab_id, SWITCH)
    if uplink.interface is not None:
        port = uplink.interface
        there = [f"link set {port} netns {switch}"]
    else:
        port, end = f"up.{system}", f"{PREFIX}-{lab_id}"
        there = [
            f"link add {end} type veth peer name {port} netns {switch}",
            f"link set {end} addrgenmode none master {uplink.bridge} up",
        ]
    return _text(there), _text([f"link set {port} addrgenmode none master {bridge(system)} up"])


def host_batch(topology: Topology, address: str, system: str) -> str:
    """Return what gives a host its address and its way to other networks."""
    return _text(["link set lo up", *_addressed("eth0", topology, address, system, default_route=True)])


def router_batch(topology: Topology) -> str:
    """Return what gives the router an address in each network."""
    lines = ["link set lo up"]
    for system in topology.systems:
        lines += _addressed(bridge(system), topology, str(topology.address(system, ROUTER)), system)
    return _text(lines)


def move_batches(topology: Topology, ue: str, system: str) -> tuple[str, str]:
    """Return what moves a UE to another system's network: for the switch, then for the UE."""
    switch = f"link set {ue} nomaster\nlink set {ue} master {bridge(system)}\n"
    address = str(topology.ue_address(ue, system))
    host = ["addr flush dev eth0", *_addressed("eth0", topology, address, system, default_route=True)]
    return switch, _text(host)


def attach_batches(topology: Topology, lab_id: str, ue: str, system: str) -> tuple[str, str]:
    """Return what gives a UE a second interface, in another system's network: for the switch, then for the UE."""
    switch = _cable(f"{ue}.{system}", system, namespace(lab_id, ue), "eth1")
    address = str(topology.ue_address(ue, system))
    return _text(switch), _text(_addressed("eth1", topology, address, system))


def system_of(topology: Topology, place: str) -> str:
    """Return the system of a host, or the system itself."""
    return next((host.system for host in topology.hosts() if host.key == place), place)


def port(topology: Topology, place: str) -> str:
    """Return the switch's end of a cable: a host's own, or that between a system and the router."""
    return f"{ROUTER}.{place}" if place in topology.systems else place


def loss_rules(port: str, percent: int) -> str:
    """Return the switch's nft rules that lose so many of a hundred frames, each way.

    They sit behind the bridge's own interface, so that the capture has what was sent.
    """
    lose = f"numgen random mod 100 < {percent} drop"
    return (
        f"table bridge {_table(port)} {{\n"
        "  chain forward {\n"
        "    type filter hook forward priority 0; policy accept;\n"
        f'    iifname "{port}" {lose}\n'
        f'    oifname "{port}" {lose}\n'
        "  }\n"
        "}\n"
    )


def no_loss_rules(port: str) -> str:
    """Return what takes them away, and is no error where there are none."""
    return f"table bridge {_table(port)} {{ }}\ndelete table bridge {_table(port)}\n"


def router_rules(topology: Topology) -> str:
    """Return the router's nft rules: what may pass from one system to another, and nothing else.

    Diameter proxy, or edge agent, to its like (CSC-Y), configuration management server to its partner's (CSC-17), UEs
    that are abroad to their primary identity and configuration management servers, and terminating SIP where
    a system asks for it.
    """
    rules = []
    for system in topology.systems:
        for partner in topology.systems:
            if partner != system:
                rules += _between(topology, system, partner)
    for ue in topology.ues:
        rules += _from_abroad(topology, ue)
    body = "\n".join(f"    {rule}" for rule in rules)
    return (
        "table ip lab {\n"
        "  chain forward {\n"
        "    type filter hook forward priority 0; policy drop;\n"
        "    ct state established,related accept\n"
        f"{body}\n"
        "    reject with icmp type admin-prohibited\n"
        "  }\n"
        "}\n"
    )


def capture_filters(topology: Topology) -> list[tuple[str, str]]:
    """Return each bridge with the capture filter that leaves out what comes from another system's network.

    A frame between two systems passes two bridges; it is captured where it was sent.  So each is captured once, and
    one that a cut link or a lossy one keeps from the second bridge is captured all the same.
    """
    networks = {system: settings.network for system, settings in topology.systems.items()}
    return [
        (bridge(system), " and ".join(f"not src net {other}" for name, other in networks.items() if name != system))
        for system in networks
    ]


def _table(port: str) -> str:
    return "loss_" + port.replace(".", "_").replace("-", "_")


def _cable(port: str, system: str, peer_namespace: str, peer_name: str) -> list[str]:
    return [
        f"link add {port} type veth peer name {peer_name} netns {peer_namespace}",
        f"link set {port} addrgenmode none master {bridge(system)} up",
    ]


def _addressed(
    interface: str, topology: Topology, address: str, system: str, *, default_route: bool = False
) -> list[str]:
    length = topology.systems[system].network.prefixlen
    lines = [
        f"link set {interface} addrgenmode none",
        f"addr add {address}/{length} broadcast + dev {interface}",
        f"link set {interface} up",
    ]
    if default_route:
        lines.append(f"route replace default via {topology.address(system, ROUTER)}")
    return lines


def _between(topology: Topology, system: str, partner: str) -> list[str]:
    rules = []
    if topology.systems[system].through_proxy and topology.systems[partner].through_proxy:
        ours, theirs = (_set(*(host.address for host in topology.csc_y_hosts(name))) for name in (system, partner))
        rules.append(f"ip saddr {ours} ip daddr {theirs} tcp dport 5868 accept")
    cms, partner_cms = topology.address(system, "cms"), topology.address(partner, "cms")
    rules.append(f"ip saddr {cms} ip daddr {partner_cms} tcp dport 443 accept")
    if topology.systems[system].terminating_sip:
        cscfs = _set(topology.address(system, "icscf"), topology.address(system, "scscf"))
        icscf = topology.address(partner, "icscf")
        rules += [f"ip saddr {cscfs} ip daddr {icscf} {protocol} dport 4060 accept" for protocol in ("udp", "tcp")]
    return rules


def _from_abroad(topology: Topology, ue: str) -> list[str]:
    home = topology.home_of(ue)
    abroad = [topology.ue_address(ue, system) for system in topology.systems if system != home]
    if not abroad:
        return []
    servers = _set(topology.address(home, "idms"), topology.address(home, "cms"))
    return [f"ip saddr {_set(*abroad)} ip daddr {servers} tcp dport 443 accept"]


def _set(*members: object) -> str:
    return "{ " + ", ".join(str(member) for member in members) + " }"


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
