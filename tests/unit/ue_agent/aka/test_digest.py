"""The digest as a unit; the vectors are in tests/conformance/test_rfc3310_digest.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent.aka.digest import (
    decode_auts_parameter,
    decode_nonce,
    encode_auts_parameter,
    encode_nonce,
    response,
)
from ue_agent.aka.errors import InvalidChallenge

PROPERTY = settings(deadline=None, derandomize=True)


def test_a_nonce_holds_rand_autn_and_the_servers_data() -> None:
    text = encode_nonce(b"r" * 16, b"a" * 16, b"data")
    assert text == "cnJycnJycnJycnJycnJycmFhYWFhYWFhYWFhYWFhYWFkYXRh"
    assert decode_nonce(text) == (b"r" * 16, b"a" * 16, b"data")


@pytest.mark.parametrize("text", ["", "dcd98b7102dd2f0e8b11d0f600bfb0c0", "?" * 44, "é" * 44, "A" * 4100, "QUJD"])
def test_a_nonce_that_is_no_challenge_is_invalid(text: str) -> None:
    with pytest.raises(InvalidChallenge, match="nonce"):
        decode_nonce(text)


def test_a_response_without_qop_leaves_out_cnonce() -> None:
    """RFC 2617 §3.2.2.1: qop directive not present; checked with openssl md5."""
    digest = response("u", "r", b"p", "REGISTER", "sip:r", "n")
    assert digest == "5790559ba44538767b07fb5adb649909"


def test_a_response_with_qop_counts_the_nonce() -> None:
    digest = response("u", "r", b"p", "REGISTER", "sip:r", "n", "auth", "c", "00000001")
    assert digest == "e5aa6abb895dc0720ac8660be655bb59"


@pytest.mark.parametrize(("cnonce", "nc"), [("", "00000001"), ("c", "")])
def test_qop_needs_cnonce_and_nc(cnonce: str, nc: str) -> None:
    with pytest.raises(ValueError, match="cnonce and nc"):
        response("u", "r", b"", "REGISTER", "sip:r", "n", "auth", cnonce, nc)


def test_auts_goes_as_base64() -> None:
    auts = bytes.fromhex("8711a0ec9e1637df17f80b384ee4")
    assert encode_auts_parameter(auts) == "hxGg7J4WN98X+As4TuQ="
    assert decode_auts_parameter("hxGg7J4WN98X+As4TuQ=") == auts


@pytest.mark.parametrize("text", ["", "8711a0ec9e1637df17f80b384ee4", "hxGg7J4WN98X+As4TuQ"])
def test_an_auts_parameter_of_another_form_is_invalid(text: str) -> None:
    with pytest.raises(InvalidChallenge, match="auts"):
        decode_auts_parameter(text)


@PROPERTY
@given(st.text(max_size=80))
def test_any_text_is_a_nonce_or_invalid(text: str) -> None:
    try:
        nonce = decode_nonce(text)
    except InvalidChallenge:
        return
    assert len(nonce.rand) == len(nonce.autn) == 16
