"""What a stranger may send: a whole request, or the documented refusal."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.systems.mcservice.errors import Malformed, NotAuthorised
from lab.systems.mcservice.sip import HEADERS_MAX, answer, parse_request, refusal

HEAD = (
    "REGISTER sip:mcs.mc2.lab:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.2.12:6060;branch=z9\r\n"
    "f: <sip:scscf.mc2.lab>;tag=a\r\nTo: <sip:mig-a@ims.mc2.lab>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nExpires: 600\r\n"
)


def test_a_third_party_register_is_read() -> None:
    request = parse_request((HEAD + "Content-Length: 2\r\n\r\nabcd").encode())
    assert (request.method, request.public_user_identity, request.expires_s) == (
        "REGISTER",
        "sip:mig-a@ims.mc2.lab",
        600,
    )
    assert (request.body, request.header("from")) == (b"ab", "<sip:scscf.mc2.lab>;tag=a")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no request line"),
        (b"SIP/2.0 200 OK\r\n\r\n", "no request line"),
        (HEAD.encode(), "no end of headers"),
        (b"\xff" + HEAD.encode() + b"\r\n", "UTF-8"),
        ((HEAD + "Content-Length: 5\r\n\r\nabcd").encode(), "Content-Length"),
        ((HEAD + "Content-Length: -1\r\n\r\n").encode(), "Content-Length"),
        ((HEAD + "no header\r\n\r\n").encode(), "no header"),
        ((HEAD.replace("Via", "Vla") + "\r\n").encode(), "no via"),
        ((HEAD + "A: b\r\n" * HEADERS_MAX + "\r\n").encode(), "over 128 headers"),
        (b"x" * 65536, "over 65535"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_request_is_malformed(octets: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse_request(octets)


@pytest.mark.parametrize(("name", "member"), [("To: <tel:+1>", "public_user_identity"), ("Expires: soon", "expires_s")])
def test_a_header_that_says_nothing_is_malformed(name: str, member: str) -> None:
    title = name.split(":")[0]
    lines = [line if not line.startswith(title) else name for line in HEAD.split("\r\n")]
    with pytest.raises(Malformed):
        getattr(parse_request("\r\n".join([*lines, ""]).encode()), member)


def test_an_answer_goes_back_the_way_and_a_refusal_warns() -> None:
    request = parse_request((HEAD + "\r\n").encode())
    assert answer(request, 200, "OK").startswith(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.77.2.12:6060;branch=z9\r\n")
    refused = refusal(request, NotAuthorised("token-expired", "it has expired"), "mcs.mc2.lab")
    assert refused.startswith(b"SIP/2.0 403 Forbidden\r\n")
    assert b'Warning: 399 mcs.mc2.lab "101 service authorisation failed"\r\n' in refused


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=400).map(lambda octets: HEAD.encode() + octets) | st.binary(max_size=200))
def test_any_octets_are_a_request_or_malformed(octets: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_request(octets)
