"""The verdict over a trial, and the answers of its registrar."""

import pytest

from ue_agent.errors import HookError, StackError
from ue_agent.hook_trial import AUTS, FRESH_NONCE, RESPONSE, STALE_NONCE, answer_to, next_challenge, verdict

REQUEST = (
    "REGISTER sip:d SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:u@d>;tag=1\r\nTo: <sip:u@d>\r\n"
    "Call-ID: c\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\r\n"
)


def test_a_good_trial_says_how() -> None:
    assert verdict(0, "hooked\n") == "hooked"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (1, "it is unknown\n", "it is unknown"),
        (1, "", "the trial ended with 1"),
        (-11, "hooked\n", "the trial died of SIGSEGV"),
        (-6, "", "the trial died of SIGABRT"),
    ],
)
def test_any_other_end_is_an_error_of_one_line(code, output, reason) -> None:
    with pytest.raises(HookError, match=f"^AKA cannot be had from this pjsua2: {reason}$"):
        verdict(code, output)


def test_answers_copy_what_rfc_3261_says() -> None:
    """RFC 3261 §8.2.6.2."""
    assert answer_to(REQUEST, "401 Unauthorized", "X: y").decode().split("\r\n") == [
        "SIP/2.0 401 Unauthorized",
        "Via: SIP/2.0/UDP h;branch=b",
        "From: <sip:u@d>;tag=1",
        "Call-ID: c",
        "CSeq: 1 REGISTER",
        "To: <sip:u@d>;tag=trial",
        "X: y",
        "Content-Length: 0",
        "",
        "",
    ]


def authorization(nonce: str, response: str, auts: str = "") -> str:
    with_auts = f', auts="{auts}"' if auts else ""
    return f'Authorization: Digest nonce="{nonce}", response="{response}"{with_auts}, algorithm=AKAv1-MD5\r\n'


def request_with(*headers: str) -> str:
    return REQUEST.replace("Max-Forwards", "".join(headers) + "Max-Forwards")


def test_the_trial_goes_through_a_resynchronisation() -> None:
    """RFC 3310 §3.4: AUTS to the stale challenge, a fresh one, an answer without AUTS."""
    assert next_challenge(request_with(authorization("", ""))) == STALE_NONCE
    assert next_challenge(request_with(authorization(STALE_NONCE, RESPONSE, AUTS))) == FRESH_NONCE
    assert next_challenge(request_with(authorization(FRESH_NONCE, RESPONSE))) is None


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (authorization(STALE_NONCE, RESPONSE, AUTS), authorization(FRESH_NONCE, RESPONSE)),
        (authorization(STALE_NONCE, RESPONSE),),
        (authorization(STALE_NONCE, RESPONSE, "AAAA"),),
        (authorization(FRESH_NONCE, RESPONSE, AUTS),),
        (authorization(FRESH_NONCE, "0" * 32),),
    ],
    ids=["none", "the old one beside the new", "no auts", "another auts", "auts kept", "another response"],
)
def test_an_answer_that_arrives_otherwise_is_no_aka(headers) -> None:
    with pytest.raises(StackError, match="trial"):
        next_challenge(request_with(*headers))
