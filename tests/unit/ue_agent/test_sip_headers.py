"""P-Associated-URI and addresses (RFC 7315 §4.1, RFC 3261 §20.10)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent.sip_headers import ASSOCIATED_URIS_MAX, address_of, associated_uris

HEAD = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\n"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("P-Associated-URI: <sip:a@d>, <tel:+1>\r\n", ("sip:a@d", "tel:+1")),
        ("p-associated-uri: <sip:a@d>;x=1\r\nP-Associated-URI: <sip:b@d>\r\n", ("sip:a@d", "sip:b@d")),
        ("P-Associated-URI: <sip:a@d>,\r\n <sip:b@d>\r\n", ("sip:a@d", "sip:b@d")),
        ('P-Associated-URI: "A" <sip:a@d>, <sip:a@d>\r\n', ("sip:a@d",)),
        ("P-Associated-URI: nothing\r\nContact: <sip:c@d>\r\n", ()),
        ("", ()),
    ],
)
def test_uris_in_order_each_once(headers, expected) -> None:
    assert associated_uris(HEAD + headers + "\r\nP-Associated-URI: <sip:body@d>\r\n") == expected


def test_number_of_uris_is_bounded() -> None:
    many = ", ".join(f"<sip:u{n}@d>" for n in range(100))
    assert len(associated_uris(f"{HEAD}P-Associated-URI: {many}\r\n\r\n")) == ASSOCIATED_URIS_MAX


@pytest.mark.parametrize(
    ("header", "uri"),
    [
        ('"A" <sip:a@d>;tag=1', "sip:a@d"),
        ("sip:a@d;tag=1", "sip:a@d"),
        ("<tel:+1>", "tel:+1"),
        ("", ""),
    ],
)
def test_address_of_a_header(header, uri) -> None:
    assert address_of(header) == uri


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=300))
def test_any_text_is_read(text) -> None:
    assert isinstance(associated_uris(text), tuple)
    assert len(address_of(text)) <= 260
