"""REGISTER as RFC 3261 §10.2 and TS 24.229 §5.1.1.2 have it, and responses read back, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.load.sip import Contact, Dialogue, answer_authorization, decode_response, encode_register, first_authorization

DIALOGUE = Dialogue(
    "ims.mc1.lab", "001@ims.mc1.lab", "sip:alice@ims.mc1.lab", Contact("10.77.1.21", 40000), "call-1", "tag-1"
)
# As Kamailio 5.6.3 sent it in a run, its nonce shortened.
CHALLENGE = (
    b"SIP/2.0 401 Unauthorized - Challenging the UE\r\n"
    b"Via: SIP/2.0/UDP 10.77.1.21:40000;rport=40000;branch=z9hG4bKabc;received=10.77.1.21\r\n"
    b"From: <sip:alice@ims.mc1.lab>;tag=tag-1\r\n"
    b"To: <sip:alice@ims.mc1.lab>;tag=x\r\n"
    b"Call-ID: call-1\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b'WWW-Authenticate: Digest realm="ims.mc1.lab", nonce="QUJD=", algorithm=AKAv1-MD5, qop="auth"\r\n'
    b"Content-Length: 0\r\n\r\n"
)


def test_the_first_register_has_the_algorithm_and_an_empty_response() -> None:
    text = encode_register(DIALOGUE, "z9hG4bKabc", 1, 600, first_authorization(DIALOGUE)).decode()
    assert text.startswith("REGISTER sip:ims.mc1.lab SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.21:40000;rport;branch=z9")
    assert (
        'Authorization: Digest username="001@ims.mc1.lab", realm="ims.mc1.lab", uri="sip:ims.mc1.lab", nonce="", '
        'response="", algorithm=AKAv1-MD5\r\n' in text
    )
    assert "Contact: <sip:alice@10.77.1.21:40000>\r\nExpires: 600\r\n" in text
    assert text.endswith("Content-Length: 0\r\n\r\n")


def test_an_answer_with_qop_has_cnonce_and_count() -> None:
    text = answer_authorization(DIALOGUE, "n", "r", "c", "00000001", opaque="o")
    assert text.endswith('nonce="n", response="r", cnonce="c", opaque="o", algorithm=AKAv1-MD5, qop=auth, nc=00000001')


def test_an_answer_without_qop_has_neither_and_auts_is_quoted() -> None:
    text = answer_authorization(DIALOGUE, "n", "r", "", "", auts="YXV0cw==")
    assert text.endswith('nonce="n", response="r", auts="YXV0cw==", algorithm=AKAv1-MD5')


def test_a_challenge_is_read() -> None:
    answer = decode_response(CHALLENGE)
    assert answer is not None
    assert (answer.status, answer.branch, answer.cseq, answer.retry_after_s) == (401, "z9hG4bKabc", 1, None)
    assert answer.challenge == {"realm": "ims.mc1.lab", "nonce": "QUJD=", "algorithm": "AKAv1-MD5", "qop": "auth"}


def test_compact_and_folded_headers_and_retry_after_are_read() -> None:
    octets = (
        b"SIP/2.0 503 Busy\r\nv: SIP/2.0/UDP a:1\r\n ;branch=z9hG4bKq\r\n"
        b"CSeq: 7 REGISTER\r\nRetry-After: 3 (soon)\r\n\r\n"
    )
    answer = decode_response(octets)
    assert answer is not None
    assert (answer.status, answer.branch, answer.cseq, answer.retry_after_s) == (503, "z9hG4bKq", 7, 3)


def test_what_is_no_response_to_a_register_is_nothing() -> None:
    for octets in (
        b"",
        CHALLENGE.replace(b"1 REGISTER", b"1 MESSAGE"),
        CHALLENGE.replace(b"branch=", b"bronch="),
        b"NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\nCSeq: 1 NOTIFY\r\n\r\n",
    ):
        assert decode_response(octets) is None


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_any_octets_give_a_response_or_nothing(octets: bytes) -> None:
    decode_response(octets)
    decode_response(b"SIP/2.0 401 x\r\n" + octets)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, len(CHALLENGE)))
def test_a_response_cut_anywhere_does_no_harm(length: int) -> None:
    decode_response(CHALLENGE[:length])
