"""What each role's container is, may do and sees: no more than it needs."""

from pathlib import Path

import pytest

from lab.render.agents import free_diameter_argv
from lab.runtime import parts
from lab.topology import load_topology

ROLES = sorted({host.role for host in load_topology(settings={"systems.mc1.probe": True}).hosts()})


@pytest.mark.parametrize(
    ("argv", "image"),
    [
        (("kamailio", "-DD"), "mclab-kamailio"),
        (free_diameter_argv(Path("freediameter.conf")), "mclab-kamailio"),
        (("python", "-P", "-m", "mmserver.cli"), "mclab-python"),
    ],
)
def test_a_program_is_in_one_of_the_two_images(argv: tuple[str, ...], image: str) -> None:
    assert parts.image(argv) == image


@pytest.mark.parametrize("role", ROLES)
def test_only_who_serves_https_may_bind_a_low_port(role: str) -> None:
    wanted = ("NET_BIND_SERVICE",) if role in ("mms", "cms", "idms") else ()
    assert parts.capabilities(role) == wanted


def test_nobody_but_an_mms_sees_the_state_of_another() -> None:
    seen = {role: parts.folders(f"{role}.mc1", role) for role in ROLES}
    assert [role for role in ROLES if "state" in seen[role]] == ["mms"]
    assert seen["hss"] == {"etc": False, "tls": False, "keys": True, "state/hss.mc1": True}


def test_kamailio_writes_beside_its_own_configuration_and_has_no_state() -> None:
    assert parts.folders("icscf.mc1", "icscf") == {"etc": False, "tls": False, "keys": True, "etc/icscf.mc1": True}
