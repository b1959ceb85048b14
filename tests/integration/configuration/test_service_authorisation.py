"""MC service server and identity management server as processes: real tokens over UDP and HTTPS (TS 24.379 §7.3.2)."""

import itertools
import socket

import pytest

from tests import unwritable
from ue_agent.mcptt_info import MCPTT_INFO, mcptt_info

PATIENCE_S = 30.0
TOKEN_S = 3600
LOGIN = {"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "alice-secret"}


class Core:
    """An S-CSCF that sends third-party REGISTERs for one user."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_S)
        self._numbers = itertools.count(1)

    def register(self, server: str, token: str) -> tuple[int, str]:
        """Return status and Warning of the answer to a REGISTER with an access token."""
        host, _, port = server.partition(":")
        inner = self._message(MCPTT_INFO, mcptt_info(token, "urn:uuid:1"))
        self._socket.sendto(self._message("message/sip", inner), (host, int(port)))
        head = self._socket.recv(65535).decode().split("\r\n")
        warnings = [line for line in head if line.startswith("Warning: ")]
        return int(head[0].split()[1]), "".join(warnings)

    def _message(self, kind: str, body: bytes) -> bytes:
        head = (
            "REGISTER sip:x SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1",
            "From: <sip:scscf.mc1.lab>;tag=1",
            "To: <sip:mig-1@ims.mc1.lab>",
            f"Call-ID: {next(self._numbers)}",
            "CSeq: 1 REGISTER",
            "Expires: 600",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join((*head, "", "")).encode() + body


@pytest.fixture
def core():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        yield Core(end)


@pytest.fixture
def system(make_system):
    mc1 = make_system("mc1")
    file = mc1.write_idms(more=f"[lifetimes]\naccess_token_s = {TOKEN_S}\n")
    file.write_text(file.read_text().replace("audiences = [", 'audiences = ["mcs.mc1.lab", '))
    return mc1


def server(mc1, start, name: str, more: str = "", **options: int):
    """Start an MC service server; return the process and where it listens."""
    file = mc1.host_folder("mcs") / f"{name}.toml"
    file.write_text(
        f'name = "mcs.mc1.lab"\naddress = "{mc1.address("mcs")}"\nport = 0\ncore = ["127.0.0.1"]\n'
        f'issuer = "{mc1.url("idms")}"\nca = "{mc1.ca_file}"\nleeway_s = 0\n{more}'
    )
    process = start(name, "lab.systems.mcservice", "run", "--config", str(file), **options)
    return process, process.listen[0]


def new_token(mc1) -> str:
    with mc1.client() as client:
        return client.post(mc1.url("idms") + "/token", data=LOGIN).json()["access_token"]


def names_of(process) -> list[object]:
    return [event["name"] for event in process.events("service-authorisation.refused")]


def test_one_token_is_taken_refused_for_its_user_and_refused_once_it_has_expired(system, start, core) -> None:
    """Three servers judge the same token: one serves all users, one another user alone, one has a later clock."""
    idms = start("idms", "lab.systems.idms", "run", "--config", str(system.folder / "idms" / "idms.toml"))
    serving, everybody = server(system, start, "mcs")
    choosing, carol_alone = server(system, start, "mcs-carol", 'mc_service_ids = ["sip:carol@mc1.lab"]\n')
    late, later = server(system, start, "mcs-later", clock_s=TOKEN_S + 60)
    token = new_token(system)
    assert core.register(everybody, token) == (200, "")
    for process, address, name in ((choosing, carol_alone, "wrong-mc-service-id"), (late, later, "token-expired")):
        status, warning = core.register(address, token)
        assert (status, "101 service authorisation failed" in warning, names_of(process)) == (403, True, [name])
    assert all(token not in process.log.read_text() for process in (idms, serving, choosing, late))


def test_without_the_idms_nobody_is_judged_and_with_it_again_the_next_one_is(system, start, core) -> None:
    """504, which is no refusal (RFC 3261 §21.5.5): a later registration finds the server able to judge."""
    process, address = server(system, start, "mcs")
    assert core.register(address, "x") == (504, "")
    start("idms", "lab.systems.idms", "run", "--config", str(system.folder / "idms" / "idms.toml"))
    assert core.register(address, new_token(system))[0] == 200
    assert names_of(process)[-1] == "idms-unavailable"


@unwritable.EACH
def test_what_cannot_be_written_costs_no_answer(system, start, core, opener) -> None:
    start("idms", "lab.systems.idms", "run", "--config", str(system.folder / "idms" / "idms.toml"))
    with unwritable.opened(opener) as stderr:
        process, address = server(system, start, "mcs", stderr=stderr)
    process.popen.stdout.close()
    assert core.register(address, "x")[0] == 403  # which is logged
    assert core.register(address, new_token(system)) == (200, "")  # which is told on standard output too
    assert process.stop() == 0
