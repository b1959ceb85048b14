"""A whole core over the lab's HSS, without proxies between: registration, two identities, RTR (TS 29.228)."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytestmark = pytest.mark.lab

HSS = "10.77.1.13"
PCSCF = ("10.77.1.10", 5060)
K = bytes(range(16)).hex()
OPC = bytes(range(16, 32)).hex()

HSS_TOML = f"""
[node]
origin_host = "hss.mc1.lab"
origin_realm = "ims.mc1.lab"
address = "{HSS}"
peers = ["icscf.mc1.lab", "scscf.mc1.lab"]
[hss]
state = "hss.sqlite"
control = "control"
scscf = ["sip:scscf.mc1.lab:6060"]
[[users]]
name = "alice"
k = "{K}"
opc = "{OPC}"
[[users.impis]]
private_user_identity = "alice@ims.mc1.lab"
public_user_identities = ["sip:alice@ims.mc1.lab", "sip:alice2@ims.mc1.lab"]
[[users]]
name = "bob"
k = "{K}"
opc = "{OPC}"
[[users.impis]]
private_user_identity = "bob@ims.mc1.lab"
public_user_identities = ["sip:bob@ims.mc1.lab"]
"""


@pytest.fixture(scope="module")
def hss(network, tmp_path_factory):
    """The lab's HSS as a process; the value is its directory."""
    directory = tmp_path_factory.mktemp("hss")
    (directory / "hss.toml").write_text(HSS_TOML)
    argv = [sys.executable, "-m", "lab.systems.hss", "run", "--config", str(directory / "hss.toml")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(network.argv(argv), stdout=subprocess.PIPE, stderr=log, text=True)
    assert json.loads(process.stdout.readline())["event"] == "ready", (directory / "log").read_text()
    yield directory
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def direct(hss, network, core_values, start_core):
    """A core whose CSCFs connect to that HSS."""
    proxy = replace(core_values.proxies[0], host="hss.mc1.lab", address=HSS)
    return start_core(replace(core_values, proxies=(proxy,)))


@pytest.fixture
def ue(direct):
    """UEs by name, closed after the test."""

    def make(name: str, address: str = "10.77.1.21", **options: bytes):
        return direct.ue(name, address, **options)

    yield make
    while direct.ues:
        direct.ues.pop().socket.close()


def test_a_user_of_the_hss_registers_and_both_identities_are_reached(direct, ue) -> None:
    """The implicit registration set (TS 23.228 §5.2.1a): the second identity was never registered by itself."""
    alice, bob = ue("alice"), ue("bob", "10.77.1.22")
    registered = alice.register()
    assert registered.status == 200, direct.log()
    assert "sip:alice2@ims.mc1.lab" in registered.header("P-Associated-URI")
    assert bob.register().status == 200
    answering = alice.answer()
    assert bob.send(PCSCF, "MESSAGE", "sip:alice2@ims.mc1.lab").status == 200, direct.log()
    answering.join(5)


def test_an_unknown_user_is_refused(direct, ue) -> None:
    assert ue("mallory").register().text.splitlines()[0] == "SIP/2.0 403 Forbidden - HSS User Unknown"


def test_a_card_with_another_key_does_not_get_in(direct, ue) -> None:
    """The ISIM itself refuses the challenge; what it would answer without AKA is refused by the S-CSCF."""
    alice = ue("alice")
    assert alice.authenticate(alice.challenge(), res=bytes(8)).status == 403


def test_a_card_that_is_ahead_is_resynchronised(direct, ue) -> None:
    alice = ue("alice")
    alice.isim.sequence_numbers = alice.isim.sequence_numbers.accept(1 << 24)
    assert alice.register().status == 200, direct.log()


def test_rtr_of_the_hss_takes_both_identities_off(direct, hss, ue) -> None:
    alice, bob = ue("alice"), ue("bob", "10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    identities = ["sip:alice@ims.mc1.lab", "sip:alice2@ims.mc1.lab"]
    command = {"command": "rtr", "private_user_identity": "alice@ims.mc1.lab", "public_user_identities": identities}
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(5)
        control.connect(str(hss / "control"))
        control.sendall((json.dumps(command | {"reason": 0}) + "\n").encode())
        reply = json.loads(control.makefile().readline())
    assert (reply["ok"], reply["result_code"]) == (True, 2001), reply
    time.sleep(1.5)
    assert [bob.send(PCSCF, "MESSAGE", identity).status for identity in identities] == [480, 480]
