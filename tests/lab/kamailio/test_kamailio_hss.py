"""A whole core over the lab's HSS, without proxies between: registration, two identities, RTR (TS 29.228)."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import trustme

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
    process.wait(60)
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


UE_TOML = """
[ue]
name = "{name}"
state_dir = "state-{name}"
[isim]
private_user_identity = "{name}@ims.mc1.lab"
public_user_identities = ["sip:{name}@ims.mc1.lab"]
home_domain = "ims.mc1.lab"
p_cscf = ["sip:10.77.1.10:5060"]
k = "{k}"
opc = "{opc}"
[user]
mc_service_ids = ["sip:{name}@mc1.lab"]
username = "{name}"
password = "unused"
client_id = "unused"
[primary]
system = "mc1"
idms = "https://idms.mc1.lab"
cms = "https://cms.mc1.lab"
ca = "ca.pem"
[sip]
transport = "{transport}"
"""


class Agent:
    """A ue-agent that takes commands (docs/ue-agent.md)."""

    def __init__(self, network, directory, name: str, address: str, transport: str) -> None:
        file = directory / f"{name}.toml"
        file.write_text(UE_TOML.format(name=name, k=K, opc=OPC, transport=transport))
        argv = [sys.executable, "-m", "ue_agent.cli", "run", "--config", str(file)]
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                network.argv(argv, network.attach(name, address)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def tell(self, command: str, **arguments: object) -> dict:
        """Give a command and return its result."""
        print(json.dumps({"id": 1, "command": command, **arguments}), file=self.popen.stdin, flush=True)
        return self.event("done")

    def event(self, name: str) -> dict:
        """Return the next event of that name."""
        for line in self.popen.stdout:
            event = json.loads(line)
            if event["event"] == name:
                return event
        return pytest.fail(f"no {name}:\n{self.log.read_text()[-3000:]}")

    def close(self) -> None:
        """End it."""
        self.popen.stdin.close()
        self.popen.wait(60)
        self.popen.stdout.close()


@pytest.fixture
def agents(direct, network, tmp_path):
    """Alice over UDP and Bob over TCP."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    alice = Agent(network, tmp_path, "alice", "10.77.1.31", "udp")
    bob = Agent(network, tmp_path, "bob", "10.77.1.32", "tcp")
    yield alice, bob
    alice.close()
    bob.close()


def test_ue_agents_register_refresh_talk_and_leave(direct, agents) -> None:
    """The real UE, on pjsua2, over UDP and over TCP."""
    alice, bob = agents
    for agent in agents:
        registered = agent.tell("register", system="mc1")
        assert (registered["ok"], registered["status"]) == (True, 200), (registered, direct.log())
    assert alice.tell("refresh", system="mc1")["status"] == 200
    for sender, receiver in ((alice, bob), (bob, alice)):
        to = "sip:bob@ims.mc1.lab" if receiver is bob else "sip:alice@ims.mc1.lab"
        sent = sender.tell("message", system="mc1", to=to, text="hello")
        assert sent["status"] == 200, (sent, direct.log())
        assert receiver.event("message.received")["text"] == "hello"
    for agent in agents:
        assert agent.tell("deregister", system="mc1")["ok"]


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
        control.settimeout(30)
        control.connect(str(hss / "control"))
        control.sendall((json.dumps(command | {"reason": 0}) + "\n").encode())
        reply = json.loads(control.makefile().readline())
    assert (reply["ok"], reply["result_code"]) == (True, 2001), reply
    time.sleep(1.5)
    assert [bob.send(PCSCF, "MESSAGE", identity).status for identity in identities] == [480, 480]
