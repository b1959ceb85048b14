"""A service is drawn between the UEs and the servers that it went through (real captures: tests/conformance)."""

from types import SimpleNamespace

import pytest

from lab.evidence.messages import Capture, Payload, Rtp
from lab.evidence.report import CheckReport, Ladder, Verdict
from lab.evidence.service_ladders import LADDERS_MAX, draw_services
from lab.evidence.story import Evidence, read_stories

from .checks.test_service_authorisation import evidence as authorisation
from .checks.test_service_authorisation import token

SDP = "\r\nc=IN IP4 {address}\r\nm=audio {port} RTP/AVP 0\r\n"
UE1, UE3 = "10.77.2.21", "10.77.2.23"


def rows(ladder: Ladder) -> list[tuple[str, int, int, int | None]]:
    return [(row.title, row.source, row.destination, row.frame) for row in ladder.rows]


@pytest.fixture
def two(make: SimpleNamespace):
    """Return evidence in which ue3 of mc2 calls or writes to ue1 of mc1, in mc2."""
    own = make.facts().ues[0].model_dump()
    bob = {**own, "name": "ue3", "system": "mc2", "addresses": [UE3]}

    def of(method: str, *more, payloads: tuple[Payload, ...] = (), repeat: int = 1) -> Evidence:
        sip = []
        for number in range(repeat):
            sent = make.sip(10 * number + 1, "ue", "pcscf", method, call_id=f"c{number}", to="<sip:1@ims.mc2.lab>")
            sip.append(moved(sent, source=UE3, text=SDP.format(address=UE3, port=4000)))
            sip.append(make.sip(10 * number + 2, "pcscf", "ue", method, call_id=f"c{number}"))
        facts = make.facts(ues=[own, bob])
        return read_stories(Capture(sip=(*sip, *more), payloads=payloads), facts)

    return of


def moved(message, text: str = "", **ends: str):
    frame = message.frame._replace(**ends)
    return type(message)(
        frame, message.method, message.uri, message.status, message.reason, message.headers, text or message.text
    )


def test_a_message_goes_from_one_ue_through_the_core_to_the_other(two, make: SimpleNamespace) -> None:
    answers = (
        make.sip(3, "ue", "pcscf", 200, call_id="c0", method="MESSAGE"),
        moved(make.sip(4, "pcscf", "ue", 200, call_id="c0", method="MESSAGE"), destination=UE3),
    )
    (ladder,) = draw_services(two("MESSAGE", *answers), ())
    assert (ladder.procedure, ladder.ue) == ("MESSAGE", "ue1")
    assert (ladder.lanes[0], ladder.lanes[-1]) == ("MC service UE ue3", "MC service UE ue1")
    assert rows(ladder) == [("MESSAGE", 0, 1, 1), ("MESSAGE", 1, 3, 2), ("200", 3, 1, 3), ("200", 1, 0, 4)]


def test_the_media_of_a_call_are_drawn_once_each_way_with_their_number(two, make: SimpleNamespace) -> None:
    def rtp(number: int, *ends: tuple[str, int]) -> Payload:
        (source, source_port), (destination, port) = ends
        frame = make.frame(number, "ue", "ue")._replace(
            source=source, destination=destination, source_port=source_port, destination_port=port
        )
        return Payload(frame, b"x", Rtp(1, number))

    answer = moved(
        make.sip(3, "ue", "pcscf", 200, call_id="c0", method="INVITE"), text=SDP.format(address=UE1, port=5000)
    )
    there, back = ((UE3, 4000), (UE1, 5000)), ((UE1, 5000), (UE3, 4000))
    payloads = (rtp(4, *there), rtp(5, *back), rtp(6, *there))
    (ladder,) = draw_services(two("INVITE", answer, payloads=payloads), ())
    assert rows(ladder)[-2:] == [("RTP, 2 packets", 0, 3, 4), ("RTP, 1 packets", 3, 0, 5)]


def test_an_authorisation_tells_what_the_token_says_and_what_the_server_answered(make: SimpleNamespace) -> None:
    text = token(iss="https://idms.mc2.lab", aud=["a", "b"], exp=61, mcptt_id="sip:alice@mc1.lab")
    refused = authorisation(make, text, 403, '399 mcs "101 service authorisation failed"')
    (ladder,) = draw_services(refused, ())
    assert rows(ladder) == [
        ("REGISTER without an access token", 0, 1, 1),
        ("third-party REGISTER", 1, 2, 2),
        ("403: 101 service authorisation failed", 2, 1, 3),
    ]
    assert dict(ladder.rows[1].fields) | {"token: audience": "a, b", "token: expires": "+61 s"} == dict(
        ladder.rows[1].fields
    )
    assert text not in ladder.model_dump_json()


def test_a_row_has_the_verdict_of_what_names_its_frame_and_else_none(two) -> None:
    named = [
        CheckReport(name="a", verdict=Verdict.PASS, frames=(1,)),
        CheckReport(name="b", verdict=Verdict.FAIL, frames=(1,)),
    ]
    (ladder,) = draw_services(two("MESSAGE"), named)
    assert [row.verdict for row in ladder.rows] == [Verdict.FAIL, None]


def test_of_many_the_first_are_drawn(two) -> None:
    assert len(draw_services(two("MESSAGE", repeat=LADDERS_MAX + 2), ())) == LADDERS_MAX
