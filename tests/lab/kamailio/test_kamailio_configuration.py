"""Each role's configuration is one that Kamailio accepts, and it says when it is ready, once."""

import json
import subprocess
import time
from typing import get_args

import pytest

from lab.render.kamailio import Role, render_cscf

pytestmark = pytest.mark.lab

READY_S_MAX = 2.5
"""cdp connects for the first time within a second of its start; the rest is slack for a busy machine."""


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("folder", ["short", "long" * 30])
def test_kamailio_accepts_the_configuration(network, tmp_path, core_values, role, folder) -> None:
    """Also where the path is too long for a control socket."""
    argv = render_cscf(role, core_values, tmp_path / folder)
    done = subprocess.run(network.argv([*argv, "-c"]), capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "config file ok" in done.stderr + done.stdout


def test_pcscf_is_ready_without_a_database(start) -> None:
    pcscf = start("pcscf")
    assert pcscf.wait_ready() < READY_S_MAX
    pcscf.stop()


@pytest.mark.parametrize("role", ["icscf", "scscf"])
def test_role_that_speaks_cx_is_ready_once_cx_is_open_and_says_so_once(start, database, role) -> None:
    cscf = start(role)
    time.sleep(1.5)
    assert not cscf.is_ready(), "no peer is up"
    database.start()
    cscf.wait_ready()
    time.sleep(0.3)
    lines = [line for line in cscf.text().splitlines() if '"event":"ready"' in line]
    cscf.stop()
    assert len(lines) == 1
    ready = json.loads(lines[0][lines[0].index('{"event') :])
    ports = [address.rpartition(":")[2] for address in ready["listen"]]
    assert ports and "3868" not in ports, "cdp 5.6.3 dies of zero octets on a port that it accepts on"


@pytest.mark.parametrize("role", ["icscf", "scscf"])
def test_role_that_speaks_cx_is_ready_soon_after_its_start(start, database, role) -> None:
    database.start()
    cscf = start(role)
    seconds = cscf.wait_ready()
    cscf.stop()
    assert seconds < READY_S_MAX
