"""The server's answers: authorised, refused by name, de-registered; no token in what it says."""

import asyncio
import json

import pytest

from lab.systems.mcservice.errors import IdmsUnavailable
from lab.systems.mcservice.server import McServiceServer, SipOverUdp, _bad_request
from lab.systems.mcservice.sip import parse_request

from .test_authorisation import CONFIG, KEYS, NOW, token
from .test_token_body import INFO, MCPTT, register, third_party

CORE = "10.77.2.12"


def carrying(text: str, method: str = "REGISTER"):
    return third_party(register(MCPTT, INFO.replace(b"t.o.k", text.encode()), method=method))


@pytest.fixture
def server() -> McServiceServer:
    return McServiceServer(CONFIG, lambda: KEYS)


async def test_a_good_token_is_recorded_and_a_deregistration_ends_it(server, capsys) -> None:
    said = await server.serve(carrying(token()), CORE, NOW)
    assert said.startswith(b"SIP/2.0 200 OK")
    assert server.authorisations.of("sip:a@b", NOW).mc_service_id == "sip:alice@mc1.lab"
    gone = parse_request(register(MCPTT, b"").replace(b"Expires: 600", b"Expires: 0"))
    assert (await server.serve(gone, CORE, NOW)).startswith(b"SIP/2.0 200 OK")
    assert server.authorisations.of("sip:a@b", NOW) is None
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [one["event"] for one in events] == ["service.authorised", "service-authorisation.ended"]


@pytest.mark.parametrize(
    ("request_", "source", "status"),
    [
        (carrying(token(exp=NOW - 60)), CORE, b"403"),
        (carrying("x"), CORE, b"403"),
        (carrying(token()), "10.77.2.21", b"403"),
        (carrying(token(), method="INVITE"), CORE, b"400"),
        (parse_request(register(MCPTT, b"", method="INVITE")), CORE, b"405"),
    ],
    ids=["expired", "no-token", "stranger", "inner-invite", "method"],
)
async def test_a_refusal_is_an_answer_and_shows_no_token(server, capsys, request_, source, status) -> None:
    said = await server.serve(request_, source, NOW)
    assert said.split()[1] == status
    assert "eyJ" not in capsys.readouterr().out + said.decode()


async def test_a_refused_user_is_authorised_no_longer(server) -> None:
    await server.serve(carrying(token()), CORE, NOW)
    await server.serve(carrying(token(aud="cms.mc2.lab")), CORE, NOW)
    assert server.authorisations.of("sip:a@b", NOW) is None


async def test_without_keys_nothing_is_judged() -> None:
    def fetch():
        raise IdmsUnavailable("no keys")

    assert (await McServiceServer(CONFIG, fetch).serve(carrying(token()), CORE, NOW)).split()[1] == b"504"


class Transport:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendto(self, octets: bytes, address: object) -> None:
        self.sent.append(octets)


async def test_octets_get_400_and_a_retransmission_the_same_answer(server) -> None:
    transport, protocol = Transport(), SipOverUdp(server)
    protocol.connection_made(transport)
    protocol.datagram_received(b"REGISTER x\r\nVia: v\r\n\r\n", (CORE, 1))
    protocol.datagram_received(b"SIP/2.0 200 OK\r\n\r\n", (CORE, 1))
    assert transport.sent == [_bad_request(b"REGISTER x\r\nVia: v\r\n\r\n")]
    whole = register("text/plain", b"")
    for _ in range(2):
        protocol.datagram_received(whole, (CORE, 1))
        while protocol._tasks:
            await asyncio.gather(*protocol._tasks)
    assert len(transport.sent) == 3 and transport.sent[1] == transport.sent[2]
