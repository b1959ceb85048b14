"""``lab/compose.yaml`` is what the topology says: one container a host, its address, its rights, its program."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.render.__main__ import SYSTEMS, rendered_compose
from lab.render.compose import network_of
from lab.topology import load_topology

TOPOLOGY = load_topology().restricted_to(SYSTEMS)
FILE = Path(__file__).parents[4] / "lab" / "compose.yaml"


def services(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and lines of each service."""
    body = text.partition("\nservices:\n")[2].partition("\nnetworks:\n")[0]
    yield from re.findall(r"^  ([a-z0-9.]+):\n((?:    .*\n)+)", body + "\n", re.MULTILINE)


@pytest.fixture(scope="module")
def text() -> str:
    return rendered_compose(TOPOLOGY)


def test_the_committed_file_is_what_the_topology_says(text: str) -> None:
    assert FILE.read_text() == text, "python -m lab.render --compose > lab/compose.yaml"


def test_every_host_is_a_service_with_its_address_and_its_name(text: str) -> None:
    found = dict(services(text))
    for host in TOPOLOGY.hosts():
        assert f"ipv4_address: {host.address}}}" in found[host.key]
        assert f"hostname: {host.name}\n" in found[host.key]
        assert f'    - "{host.name}:{host.address}"\n' in text


def test_only_who_serves_https_and_the_capture_has_a_capability(text: str) -> None:
    rights = {name: re.findall(r"cap_add: (.*)", lines) for name, lines in services(text)}
    assert {name.partition(".")[0] for name, right in rights.items() if right == ["[NET_BIND_SERVICE]"]} == {
        "mms", "cms", "idms"
    }  # fmt: skip
    assert rights["capture"] == ["[NET_RAW, SETGID, SETUID]"]
    assert [name for name, right in rights.items() if right and right[0] == "[ALL]"] == []


def test_nothing_of_the_rendering_machine_is_in_it(text: str) -> None:
    assert str(FILE.parents[1]) not in text
    assert "/usr/" not in text
    assert ".venv" not in text


def test_one_network_holds_all_systems_and_its_gateway_is_no_host(text: str) -> None:
    network = network_of(TOPOLOGY)
    addresses = {host.address for host in TOPOLOGY.hosts()}
    assert all(address in network for address in addresses)
    gateway = IPv4Address(re.findall(r"gateway: ([0-9.]+)", text)[0])
    assert gateway in network
    assert gateway not in addresses


def test_each_host_has_a_health_check_so_that_up_can_wait_for_all(text: str) -> None:
    """Docker Compose's `up --wait` ends in an error at a container whose check is switched off."""
    found = dict(services(text))
    for host in TOPOLOGY.hosts():
        assert "disable" not in found[host.key]
    assert '["CMD", "test", "-r", "/lab/etc/ue1/ue.toml"]' in found["ue1"]
