"""The token in a REGISTER in a third-party REGISTER."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.systems.mcservice.errors import Malformed, NotAuthorised
from lab.systems.mcservice.sip import parse_request
from lab.systems.mcservice.token_body import TokenBody, token_body

LINES = (
    "Via: SIP/2.0/UDP h;branch=z9\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
    "Call-ID: c\r\nCSeq: 1 REGISTER\r\nExpires: 600\r\n"
)
INFO = (
    b'<?xml version="1.0"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>'
    b'<mcptt-access-token type="Normal"><mcpttString>t.o.k</mcpttString></mcptt-access-token>'
    b'<mcptt-client-id type="Normal"><mcpttString>urn:1</mcpttString></mcptt-client-id></mcptt-Params></mcpttinfo>'
)
MCPTT = "application/vnd.3gpp.mcptt-info+xml"
MULTIPART = (
    b"--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n--b1\r\nContent-Type: " + MCPTT.encode() + b"\r\n\r\n" + INFO
    + b"\r\n--b1--\r\n"
)  # fmt: skip


def register(content_type: str, body: bytes, method: str = "REGISTER") -> bytes:
    return f"{method} sip:d SIP/2.0\r\n{LINES}Content-Type: {content_type}\r\n\r\n".encode() + body


def third_party(inner: bytes, content_type: str = "message/sip"):
    return parse_request(register(content_type, inner))


@pytest.mark.parametrize(
    ("content_type", "body"), [(MCPTT, INFO), ('multipart/mixed; boundary="b1"', MULTIPART)], ids=["alone", "multipart"]
)
def test_the_token_and_the_client_are_found(content_type: str, body: bytes) -> None:
    assert token_body(third_party(register(content_type, body))) == TokenBody("t.o.k", "urn:1")


@pytest.mark.parametrize(
    "request_",
    [
        third_party(b"", "text/plain"),
        third_party(register("text/plain", b"x")),
        third_party(register(MCPTT, INFO.replace(b"t.o.k", b" "))),
    ],
    ids=["no-register", "no-mcptt-info", "empty"],
)
def test_without_a_token_it_is_missing(request_) -> None:
    with pytest.raises(NotAuthorised) as refused:
        token_body(request_)
    assert refused.value.name == "token-missing"


@pytest.mark.parametrize(
    "inner",
    [
        b"garbage",
        register(MCPTT, INFO, method="INVITE"),
        register(MCPTT, b"<a"),
        register(MCPTT, b"<other/>"),
        register(MCPTT, b'<!DOCTYPE a [<!ENTITY x "y">]>' + INFO),
        register(MCPTT, INFO + b" " * 40000),
        register("multipart/mixed", MULTIPART),
        register('multipart/mixed; boundary="b1"', MULTIPART[:-8]),
        register('multipart/mixed; boundary="b1"', b"--b1\r\nno end"),
    ],
    ids=["octets", "method", "no-xml", "root", "doctype", "large", "no-boundary", "no-end", "part"],
)
def test_a_body_that_is_not_what_it_says_is_malformed(inner: bytes) -> None:
    with pytest.raises(Malformed):
        token_body(third_party(inner))


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_document_is_a_token_or_a_refusal(octets: bytes) -> None:
    with contextlib.suppress(Malformed, NotAuthorised):
        token_body(third_party(register(MCPTT, octets)))
