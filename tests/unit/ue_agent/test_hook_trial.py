"""The verdict over a trial, and the answers of its registrar."""

import pytest

from ue_agent.errors import HookError
from ue_agent.hook_trial import answer_to, verdict

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
