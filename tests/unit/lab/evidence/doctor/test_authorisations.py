"""Third-party REGISTERs to an MC service server are told from registrations and from those to other servers."""

from types import SimpleNamespace

from lab.evidence.doctor.authorisations import carries_token, read_authorisations
from lab.evidence.messages import Capture

CLAIMS = {"iss": "https://idms.mc2.lab", "mcptt_id": "sip:alice@mc1.lab"}


def read(*messages):
    """The S-CSCF has received a REGISTER: what it sends itself is a third-party one."""
    return read_authorisations(Capture(sip=messages))


def test_one_has_its_answer_the_ues_register_and_the_claims_of_the_token(case: SimpleNamespace) -> None:
    own = case.register(1), case.register(2, source="pcscf", destination="scscf")
    (one,) = read(*own, case.third_party(3, CLAIMS), case.said(4, 200))
    assert (one.claims, one.status, one.server, one.frames) == (CLAIMS, 200, "10.77.2.7", (1, 3, 4))
    assert (one.has_token, one.has_failed, one.is_encrypted) == (True, False, False)


def test_a_retransmission_is_the_same_and_without_any_answer_it_is_silent(case: SimpleNamespace) -> None:
    own = case.register(1, destination="scscf")
    (once,) = read(own, case.third_party(3))
    (twice,) = read(own, case.third_party(3), case.third_party(4))
    assert [(len(one.requests), one.is_silent, one.has_failed) for one in (once, twice)] == [
        (1, False, False),
        (2, True, True),
    ]


def test_another_application_server_is_none_unless_it_warns_of_service_authorisation(case: SimpleNamespace) -> None:
    own, third = case.register(1, destination="scscf"), case.third_party(3, body="x")
    assert read(own, third, case.said(4, 403)) == ()
    assert len(read(own, third, case.said(4, 403, warning='399 a "101 service authorisation failed"'))) == 1


def test_a_deregistration_asks_for_nothing(case: SimpleNamespace) -> None:
    third = case.third_party(3, CLAIMS)
    gone = type(third)(**{n: getattr(third, n) for n in third.__slots__} | {"headers": {**third.headers}})
    gone.headers["expires"] = ("0",)  # type: ignore[index]
    assert read(case.register(1, destination="scscf"), gone, case.said(4, 200)) == ()


def test_an_encrypted_token_is_one_that_cannot_be_read(case: SimpleNamespace) -> None:
    body = '<mcptt-access-token type="Encrypted"><xenc:EncryptedData>x</xenc:EncryptedData></mcptt-access-token>'
    (one,) = read(case.register(1, destination="scscf"), case.third_party(3, body=body), case.said(4, 403))
    assert (one.is_encrypted, one.has_token, one.claims) == (True, True, {})
    assert not carries_token(case.register(1))


def test_a_capture_of_the_server_alone_holds_an_authorisation_and_no_registration(case: SimpleNamespace) -> None:
    third = case.third_party(3, CLAIMS)
    alone = type(third)(**{n: getattr(third, n) for n in third.__slots__})
    alone.headers["from"] = ("<sip:scscf.mc2.lab:6060>;tag=1",)  # type: ignore[index]
    view = case.see(alone, case.said(4, 403))
    assert (view.attempts, [one.register for one in view.authorisations]) == ((), [None])
