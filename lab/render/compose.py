"""``lab/compose.yaml`` from a topology: the lab for Docker Compose and podman-compose, one readable file.

A test holds the file to what is rendered here (``python -m lab.render --compose``).  It has one network for all
systems, of the engine's: names, addresses and programs are those of ``mclab``; the router, the move of a UE and faults
are not there (``mclab run --runtime containers`` has them).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from lab.render.program import Program
from lab.runtime.parts import CSCFS, capabilities, image
from lab.topology import LAB_DOMAIN, Host, Topology

RUN: Final = Path("/lab")
"""Where the containers see the run's directory, a volume."""
SOURCES: Final = Path("/opt/mc")
LAB_ID: Final = "0000"
NETWORK: Final = "lab"
IDLE: Final = ("sleep", "infinity")
_TREE: Final = Path(__file__).resolve().parents[2]

_HEAD: Final = """\
# The lab for Docker Compose and podman-compose: two MC systems, a container each host (docs/containers.md).
#
#   docker compose -f lab/compose.yaml up --build --detach --wait
#   docker compose -f lab/compose.yaml exec ue1 \\
#     python -m ue_agent.cli migrate --config /lab/etc/ue1/ue.toml --partner mc2 --at 60.2,25.2
#   docker compose -f lab/compose.yaml down --volumes
#
# Rendered from lab/topology.toml by `python -m lab.render --compose`; a test compares.  All systems are in one network.
# The volume `run` has configuration, key logs, what each program said, and the capture.
name: mclab

x-host: &host
  cap_drop: [ALL]
  security_opt: ["no-new-privileges"]
  volumes: ["run:/lab"]
  # What each container has in its hosts file.
  extra_hosts:
"""
_PARTS: Final = """\
  # Ready is the line that the program says, and nothing else.
  healthcheck:
    test: ["CMD", "grep", "-Eq", '"event": ?"ready"', "/tmp/said"]
    interval: 2s
    timeout: 5s
    retries: 60

x-kamailio: &kamailio
  <<: *host
  image: mclab-kamailio
  build: {context: .., dockerfile: lab/images/Containerfile.kamailio}

x-python: &python
  <<: *host
  image: mclab-python
  build: {context: .., dockerfile: lab/images/Containerfile.python}

services:
  # Writes every file of the lab into the volume, and ends.
  configuration:
    image: mclab-python
    build: {context: .., dockerfile: lab/images/Containerfile.python}
    cap_drop: [ALL]
    network_mode: none
    volumes: ["run:/lab"]
    command: ["python", "-P", "-m", "lab.render", "/lab"]
"""
_TAIL: Final = """
volumes:
  run: {}
"""


def compose_text(topology: Topology, programs: Sequence[Program], run: Path) -> str:
    """Return the file; ``programs`` are what was rendered for this topology in the directory ``run``."""
    hosts = {host.key: host for host in topology.hosts()}
    upgrades = dict.fromkeys(argv for program in programs for argv in program.before)
    lines = [_HEAD.rstrip("\n"), *(f'    - "{name}:{address}"' for name, address in _names(topology))]
    lines.append(_PARTS.rstrip("\n"))
    for argv in upgrades:
        lines += [
            "",
            "  # Brings the stores of the migration management servers up to date, and ends.",
            *_stores(argv, run),
        ]
    for program in programs:
        lines += ["", *_service(hosts[program.host], program, run)]
    lines += ["", *_capture(topology), "", *_network(topology), _TAIL.rstrip("\n")]
    return "\n".join(lines) + "\n"


def network_of(topology: Topology) -> IPv4Network:
    """Return the smallest network that holds those of all systems."""
    networks = [system.network for system in topology.systems.values()]
    whole = networks[0]
    while not all(network.subnet_of(whole) for network in networks):
        whole = whole.supernet()
    return whole.supernet()


def _names(topology: Topology) -> Iterator[tuple[str, str]]:
    for host in topology.hosts():
        yield host.name, str(host.address)
    for name, system in topology.systems.items():
        yield system.home_domain, str(topology.address(name, "icscf"))


def _stores(argv: Sequence[str], run: Path) -> list[str]:
    return [
        "  stores:",
        "    <<: *python",
        "    network_mode: none",
        "    extra_hosts: []",
        "    healthcheck: {disable: true}",
        f"    command: {_flow(_inside(argv, run))}",
        "    depends_on: {configuration: {condition: service_completed_successfully}}",
    ]


def _service(host: Host, program: Program, run: Path) -> list[str]:
    part = "kamailio" if host.role in CSCFS else "python"
    assert image(program.argv) == f"mclab-{part}"
    first = ("stores" if program.before else "configuration", "service_completed_successfully")
    needs = [first, *((need, "service_healthy") for need in program.needs)]
    rights = capabilities(host.role)
    argv = _inside(program.argv, run)
    return [
        f"  {host.key}:",
        f"    <<: *{part}",
        f"    hostname: {host.key}.{LAB_DOMAIN}",
        *([f"    cap_add: [{', '.join(rights)}]"] if rights else []),
        # A UE does what it is told by `exec`: an ISIM is in one device at a time.  `up --wait` wants a check of each.
        *(
            [f"    healthcheck: {{test: {_flow(['CMD', 'test', '-r', argv[-1]])}, interval: 2s}}"]
            if program.commands
            else []
        ),
        f"    command: {_flow(IDLE if program.commands else ['begin', host.key, *argv])}",
        f"    networks: {{{NETWORK}: {{ipv4_address: {host.address}}}}}",
        "    depends_on:",
        *(f"      {service}: {{condition: {condition}}}" for service, condition in needs),
    ]


def _capture(topology: Topology) -> list[str]:
    network = network_of(topology)
    return [
        "  # Captures the bridge, in the machine's own network namespace.",
        "  capture:",
        "    image: mclab-python",
        "    cap_drop: [ALL]",
        "    cap_add: [NET_RAW, SETGID, SETUID]",
        "    network_mode: host",
        '    volumes: ["run:/lab"]',
        f"    command: {_flow(['capture', str(network), str(RUN / 'raw.pcap')])}",
        "    depends_on: {configuration: {condition: service_completed_successfully}}",
    ]


def _network(topology: Topology) -> list[str]:
    network = network_of(topology)
    return [
        "networks:",
        f"  {NETWORK}:",
        "    internal: true",
        f"    ipam: {{config: [{{subnet: {network}, gateway: {network[-2]}}}]}}",
    ]


def _inside(argv: Sequence[str], run: Path) -> list[str]:
    """Return a program as it stands in its image."""
    places = {str(run): str(RUN), str(_TREE): str(SOURCES)}
    words = ["python" if word == sys.executable else word for word in argv]
    return [next((inside + word.removeprefix(here) for here, inside in places.items() if word.startswith(here)), word)
            for word in words]  # fmt: skip


def _flow(words: Sequence[str]) -> str:
    return json.dumps(list(words))
