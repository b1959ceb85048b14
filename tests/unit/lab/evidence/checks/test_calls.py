"""Calls: what is missing in one is said; a whole one is judged on a real capture (tests/conformance)."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.checks.calls import audio_of, called, media
from lab.evidence.checks.calls import calls as calls_of
from lab.evidence.messages import Capture, Frame, Payload, Rtp, SipMessage
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories

BOB = "10.77.2.23"


def with_sdp(message: SipMessage, address: str, port: int) -> SipMessage:
    text = f"{message.text}\r\nv=0\r\nc=IN IP4 {address}\r\nm=audio {port} RTP/AVP 0\r\n"
    return SipMessage(message.frame, message.method, message.uri, message.status, "", message.headers, text)


def between(message: SipMessage, source: str, destination: str) -> SipMessage:
    frame = message.frame._replace(source=source, destination=destination)
    return SipMessage(frame, message.method, message.uri, message.status, "", message.headers, message.text)


def rtp(number: int, source: str, destination: str, sequence: int, ssrc: int = 1) -> Payload:
    return Payload(Frame(number, number / 1000, source, destination, 4000, 4000, -1), b"\x80", Rtp(ssrc, sequence))


@pytest.fixture
def evidence(make: SimpleNamespace) -> Any:
    """Bob's call to ue1, answered, with five packets each way; no LIR, no S-CSCF, no BYE."""
    ues = [
        {
            "name": name, "system": system, "mc_service_id": f"sip:{name}@lab", "addresses": [address],
            "private_user_identity": f"{name}@d", "public_user_identities": [f"sip:{name}@d"],
        }
        for name, system, address in (("ue1", "mc1", "10.77.2.21"), ("ue3", "mc2", BOB))
    ]  # fmt: skip
    to = {"to": "<sip:lent@ims.mc2.lab>", "method": "INVITE"}
    sdp = {name: ((BOB, 4000) if name == "offer" else ("10.77.2.21", 4000)) for name in ("offer", "answer")}
    invite = {"to": to["to"]}
    sip = (
        with_sdp(between(make.sip(1, "ue", "pcscf", "INVITE", **invite), BOB, "10.77.2.10"), *sdp["offer"]),
        with_sdp(make.sip(2, "pcscf", "ue", "INVITE", **invite), *sdp["offer"]),
        with_sdp(make.sip(3, "ue", "pcscf", 200, **to), *sdp["answer"]),
        with_sdp(between(make.sip(4, "pcscf", "ue", 200, **to), "10.77.2.10", BOB), *sdp["answer"]),
    )

    def with_rtp(*payloads: Payload) -> Evidence:
        return read_stories(Capture(sip=sip, payloads=payloads), make.facts(ues=ues))

    return with_rtp


def test_rtp_is_counted_each_way_between_the_ends_of_offer_and_answer(evidence: Any) -> None:
    flow = [rtp(10 + n, BOB, "10.77.2.21", n) for n in range(5)] + [rtp(20 + n, "10.77.2.21", BOB, n) for n in range(3)]
    stray = rtp(30, BOB, "10.77.2.10", 1)
    found = evidence(*flow, stray)
    (call,) = calls_of(found, "ue3", "ue1", "mc2")
    assert [len(one) for one in media(found, call)] == [5, 3]


def test_what_a_call_lacks_is_said(evidence: Any) -> None:
    finding = called(evidence(rtp(10, BOB, "10.77.2.21", 1)), caller="ue3", callee="ue1", system="mc2", packets=1)
    assert finding.verdict is Verdict.FAIL
    for lack in ("no ACK", "S-CSCF of mc2", "no LIR", "0 RTP packets of ue1, wanted 1", "no BYE"):
        assert lack in finding.detail


@pytest.mark.parametrize("second", [rtp(11, BOB, "10.77.2.21", 1), rtp(11, BOB, "10.77.2.21", 2, ssrc=9)])
def test_packets_that_repeat_or_change_their_source_are_no_stream(evidence: Any, second: Payload) -> None:
    found = evidence(rtp(10, BOB, "10.77.2.21", 1), second)
    detail = called(found, caller="ue3", callee="ue1", system="mc2", packets=2).detail
    assert "the RTP of ue3 is not one source with rising numbers" in detail


def test_a_message_without_sdp_has_no_audio(make: SimpleNamespace) -> None:
    assert audio_of(make.sip(1, "ue", "pcscf", 200)) is None
