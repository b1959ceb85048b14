"""Each refusal of service authorisation has one reason, read from the token and from the server's connections."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.doctor.connections import Alert, Connection
from lab.evidence.doctor.examine import Illness, diagnose

GOOD = {
    "iss": "https://idms.mc2.lab",
    "aud": ["cms.mc2.lab", "mcs.mc2.lab"],
    "exp": 60,
    "mcptt_id": "sip:alice@mc1.lab",
}
IDMS = Connection(1, "10.77.2.7", "10.77.2.18", 443, opened=4, accepted=5, is_tls=True, asked_for="idms.mc2.lab")


def illness(case: SimpleNamespace, status: int, claims: dict[str, Any] | None, *connections: Connection) -> Illness:
    own = case.register(1), case.register(2, source="pcscf", destination="scscf"), case.response(3, 200)
    view = case.see(*own, case.third_party(6, claims), case.said(9, status), connections=connections or (IDMS,))
    (found,) = diagnose(view).illnesses
    return found


@pytest.mark.parametrize(
    ("claims", "cause", "says"),
    [
        (None, "access-token-missing", "the REGISTER of UE 10.77.2.21 in frame 1 carries no access token"),
        (
            GOOD | {"iss": "https://idms.mc1.lab"},
            "access-token-issuer",
            "of https://idms.mc1.lab, the server asks idms.m",
        ),
        (GOOD | {"aud": "cms.mc2.lab"}, "access-token-audience", "the token is for cms.mc2.lab"),
        (GOOD | {"exp": -100}, "access-token-expired", "the token expired at 23:58:20 UTC, 100 s before it came"),
        (GOOD | {"exp": "soon"}, "access-token-expired", "no time at which it expires"),
        (GOOD | {"mcptt_id": ""}, "mc-service-id-refused", "names no MC service ID"),
        (GOOD, "mc-service-id-refused", "sip:alice@mc1.lab is not served, or the signature does not hold"),
    ],
)
def test_a_refusal_has_the_first_fault_of_its_token(case: SimpleNamespace, claims, cause: str, says: str) -> None:
    found = illness(case, 403, claims)
    assert (found.cause, found.frames) == (cause, (1, 6, 9))
    assert says in found.signs[0]


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        (Connection(1, "10.77.2.7", "10.77.2.18", 443, opened=4, refused=5), "10.77.2.18 port 443 refuses"),
        (Connection(1, "10.77.2.7", "10.77.2.18", 443, opened=4), "does not answer its SYN"),
        (
            Connection(1, "10.77.2.7", "10.77.2.18", 443, opened=4, accepted=5, alerts=[Alert(5, "10.77.2.7", 48)]),
            "unknown_ca",
        ),
        (IDMS, "took the connection, and no keys came of it"),
        (Connection(1, "10.77.2.9", "10.77.2.18", 443), "the capture holds no connection of it"),
    ],
)
def test_a_server_without_keys_says_so_and_its_connection_why(case: SimpleNamespace, connection, says: str) -> None:
    found = illness(case, 504, GOOD, connection)
    assert found.cause == "idms-unreachable"
    assert says in found.signs[0]


def test_a_token_that_the_s_cscf_left_out_is_its_fault(case: SimpleNamespace) -> None:
    body = '<mcptt-access-token type="Normal"><mcpttString>a.b.c</mcpttString></mcptt-access-token>'
    own = case.register(1, destination="scscf")
    carrying = type(own)(**{n: getattr(own, n) for n in own.__slots__} | {"text": body})
    view = case.see(carrying, case.response(2, 200, source="scscf"), case.third_party(6), case.said(9, 403))
    (found,) = diagnose(view).illnesses
    assert "in frame 1 carries a token, " in found.signs[0]
    assert found.signs[0].endswith("10.77.2.12 left it out")


def test_a_server_that_never_answers_is_named_with_how_often_it_was_asked(case: SimpleNamespace) -> None:
    own = case.register(1, destination="scscf"), case.response(2, 200, source="scscf")
    found = diagnose(case.see(*own, case.third_party(6), case.third_party(7)))
    assert [one.cause for one in found.illnesses] == ["mc-service-silent"]
    assert "MC service server 10.77.2.7 answers none of 2" in found.illnesses[0].signs[0]


def test_a_runs_facts_say_who_the_servers_idms_is(case: SimpleNamespace) -> None:
    facts = case.facts()
    hosts = {**facts.hosts, "10.77.2.7": "mcs.mc2.lab", "10.77.2.18": "idms.mc2.lab"}
    own = case.register(1, destination="scscf"), case.response(2, 200, source="scscf")
    claims = GOOD | {"iss": "https://idms.mc1.lab"}
    view = case.see(*own, case.third_party(6, claims), case.said(9, 403), facts=case.facts(hosts=hosts))
    assert diagnose(view).illnesses[0].signs[0].endswith("the server asks idms.mc2.lab")


def test_an_encrypted_token_stays_unexplained(case: SimpleNamespace) -> None:
    body = '<mcptt-access-token type="Encrypted"><EncryptedData>x</EncryptedData></mcptt-access-token>'
    own = case.register(1, destination="scscf"), case.response(2, 200, source="scscf")
    (found,) = diagnose(case.see(*own, case.third_party(6, body=body), case.said(9, 403))).illnesses
    assert found.cause == "unexplained"
    assert "its access token is encrypted" in found.signs[0]
