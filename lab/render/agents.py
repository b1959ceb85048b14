"""Configuration of the Diameter agents of a SIP core: the edge toward other systems, and the dra before the HSS.

They relay and map nothing (TS 23.280 CR, NOTE 2 and NOTE 3 of 10.6.2, 7.4.3.1.X; RFC 6733 §2.8.1): freeDiameter, or our
own proxy as a plain relay.  Pure, from the topology.

    proxy of mc2 -- edge.mc2 -- edge.mc1 -- proxy of mc1 -- dra.mc1 -- HSS of mc1
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lab.render.core import DIAMETER_PORT
from lab.render.files import Files
from lab.render.migration import CSC_Y_PORT, RETRY_MAX_S
from lab.topology import PROXIES, Host, Topology

FREE_DIAMETER: Final = "freeDiameterd"
FREE_DIAMETER_READY: Final = "daemon initialized"
RECONNECT_S: Final = 1
WATCHDOG_S: Final = 6
PREFERENCE: Final = 100
"""Added to the score of the HSS: freeDiameter takes any peer of the realm for as good."""


def needs(topology: Topology, host: Host) -> tuple[str, ...]:
    """Return who must listen before an agent starts: whom it connects to.  freeDiameter tries again late."""
    if host.role == "dra":
        return (f"hss.{host.system}",)
    return tuple(other.key for other in _edges_to_connect(topology, host))


def relay_table(topology: Topology, host: Host, files: Files) -> dict[str, Any]:
    """Return ``proxy.toml`` of our own proxy as a plain relay: every peer is an agent, and nothing is mapped."""
    realm = topology.systems[host.system].home_domain
    is_edge = host.role == "edge"
    table: dict[str, Any] = {
        "node": {
            "origin_host": host.name,
            "origin_realm": realm,
            "system": host.system,
            "reconnect_max_s": RETRY_MAX_S,
        },
        "listeners": [{"address": host.address, "port": CSC_Y_PORT if is_edge else DIAMETER_PORT, "tls": is_edge}],
        "tls": files.tls(host.key),
        "peers": [_agent_peer(topology, host, peer, files) for peer in _peers(topology, host)],
    }
    if not is_edge:  # the realm alone does not tell the HSS from the proxies
        proxies = [topology.host(host.system, role).name for role in PROXIES]
        table["routing"] = {
            "rules": [
                {
                    "name": "to the HSS",
                    "commands": ["UAR", "SAR", "LIR", "MAR"],
                    "peers": [topology.host(host.system, "hss").name],
                },
                {"name": "from the HSS", "commands": ["RTR", "PPR"], "peers": proxies},
            ]
        }
    return table


def free_diameter_argv(configuration: Path) -> tuple[str, ...]:
    """Return freeDiameter as a command; it logs to standard output, which is where our programs speak."""
    return ("sh", "-c", 'exec "$@" >&2', FREE_DIAMETER, FREE_DIAMETER, "-c", str(configuration))


def free_diameter_files(topology: Topology, host: Host, files: Files) -> dict[str, str]:
    """Return freeDiameter's configuration by the name of the file: itself, who may come, and what it prefers.

    It knows no dictionary of Cx, so that it relays what it does not know.  It takes the leaf of any CA that it trusts
    if its name is the peer's: unlike our proxy it cannot hold each peer to its own.
    """
    folder, is_edge = files.etc(host.key), host.role == "edge"
    tls = files.tls(host.key)
    lines = [
        f'Identity = "{host.name}";',
        f'Realm = "{topology.systems[host.system].home_domain}";',
        f"Port = {DIAMETER_PORT};",
        f"SecPort = {CSC_Y_PORT};",
        "No_SCTP;",
        "No_IPv6;",
        f'ListenOn = "{host.address}";',
        f'TLS_Cred = "{tls["certificate"]}", "{tls["private_key"]}";',
        *(f'TLS_CA = "{files.authority(name)}";' for name in (host.system, *topology.partners_of(host.system))),
        f"TcTimer = {RECONNECT_S};",
        f"TwTimer = {WATCHDOG_S};",
        f'LoadExtension = "acl_wl.fdx" : "{folder / "peers.conf"}";',
    ]
    if not is_edge:
        lines.append(f'LoadExtension = "rt_default.fdx" : "{folder / "routes.conf"}";')
    for peer in _peers(topology, host):
        if _connects(topology, host, peer):
            port, plain = (CSC_Y_PORT, "") if is_edge else (DIAMETER_PORT, " No_TLS;")
            lines.append(f'ConnectPeer = "{peer.name}" {{ ConnectTo = "{peer.address}"; Port = {port};{plain} }};')
    may_be_plain = "" if is_edge else "ALLOW_IPSEC "
    made = {
        "freediameter.conf": "\n".join(lines) + "\n",
        "peers.conf": "".join(f"{may_be_plain}{peer.name}\n" for peer in _peers(topology, host)),
    }
    if not is_edge:
        made["routes.conf"] = f'* : "{topology.host(host.system, "hss").name}" += {PREFERENCE} ;\n'
    return made


def _peers(topology: Topology, host: Host) -> tuple[Host, ...]:
    proxies = tuple(topology.host(host.system, role) for role in PROXIES)
    if host.role == "dra":
        return (*proxies, topology.host(host.system, "hss"))
    others = (other for partner in topology.partners_of(host.system) for other in topology.csc_y_hosts(partner))
    return (*proxies, *others)


def _edges_to_connect(topology: Topology, host: Host) -> Iterator[Host]:
    return (peer for peer in _peers(topology, host) if peer.role == "edge" and _connects(topology, host, peer))


def _connects(topology: Topology, host: Host, peer: Host) -> bool:
    """Say who connects: the dra to its HSS; of two systems the one with the smaller name, as the proxies do."""
    return peer.role == "hss" or host.system < peer.system


def _agent_peer(topology: Topology, host: Host, peer: Host, files: Files) -> dict[str, Any]:
    row: dict[str, Any] = {
        "host": peer.name,
        "realm": topology.systems[peer.system].home_domain,
        "group": "agent",
    }
    if host.role == "edge":
        row |= {"tls": True, "ca": files.authority(peer.system)}
    if _connects(topology, host, peer):
        row |= {"connect": True, "address": peer.address, "port": CSC_Y_PORT if host.role == "edge" else DIAMETER_PORT}
    return row
