"""Ladders of real captures are those of the figures 10.1.X.1-1, 10.6.1-1 and 10.6.2-1, and of the services after them.

They give no secret away.
"""

import base64
import re
from functools import cache
from pathlib import Path

import pytest

from lab.evidence.dissect import dissect
from lab.evidence.facts import load_facts
from lab.evidence.judge import report_on
from lab.evidence.messages import Capture, walk
from lab.evidence.report import Ladder, Report
from lab.evidence.steps import STEP_IDS
from lab.evidence.story import read_stories
from lab.evidence.texts import bearer_of, digest_parameters
from lab.scenarios.library import SCENARIOS

TOKEN = re.compile("<mcptt-access-token[^>]*><mcpttString>([^<]+)<")
VECTORS = Path(__file__).parents[1] / "vectors" / "captures"
LANES = {
    "MC service UE": {"ue"},
    "SIP core / IMS": {"pcscf", "icscf", "scscf"},
    "identity management server": {"idms"},
    "configuration management server": {"cms"},
    "migration management server": {"mms", "proxy"},
    "SIP database": {"hss"},
    "MC service server": {"mcs"},
}
SERVICES = ("services", "service-authorisation-refused")


@cache
def capture_of(name: str) -> Capture:
    return dissect(VECTORS / name / "capture.pcapng")


@cache
def report_of(name: str) -> Report:
    return report_on(read_stories(capture_of(name), load_facts(VECTORS / name)), SCENARIOS[name])


def ladder_of(name: str, procedure: str) -> Ladder:
    return next(ladder for ladder in report_of(name).ladders if ladder.procedure == procedure)


def test_a_migration_is_drawn_with_each_of_the_thirty_steps_once() -> None:
    drawn = [
        row.step for procedure in ("10.6.1", "10.1.X.1", "10.6.2") for row in ladder_of("migration", procedure).rows
    ]
    assert sorted(drawn) == sorted(STEP_IDS)


@pytest.mark.parametrize("name", ["migration", "two-ues", "resync", "wrong-key", *SERVICES])
def test_every_arrow_is_a_frame_between_the_two_entities_that_it_joins(name: str) -> None:
    facts = load_facts(VECTORS / name)
    capture = capture_of(name)
    groups = (capture.payloads, capture.sip, capture.diameter, capture.http)
    frames = {m.frame.number: m.frame for group in groups for m in group}
    arrows = 0
    for ladder in report_of(name).ladders:
        for row in ladder.rows:
            if row.kind != "message":
                continue
            assert row.frame is not None, row.step
            frame, arrows = frames[row.frame], arrows + 1
            for lane, address in ((row.source, frame.source), (row.destination, frame.destination)):
                entity, _, ue = ladder.lanes[lane].partition(" (")[0].partition(" UE ")
                assert facts.role(address) in LANES[f"{entity} UE" if ue else entity], row.step
                assert not ue or facts.names()[address] == ue, row.step
    assert arrows >= 15


@pytest.mark.parametrize("name", ["migration", "two-ues", "resync", "wrong-key"])
def test_the_messages_of_10_6_2_follow_each_other_in_time(name: str) -> None:
    moments = [row.at_ms for row in ladder_of(name, "10.6.2").rows if row.at_ms is not None]
    assert moments == sorted(moments)


def test_a_refusal_is_drawn_up_to_the_step_that_refuses() -> None:
    assert [row.step for row in ladder_of("not-authorised", "10.1.X.1").rows] == ["10.1.X.1-1"]
    assert ladder_of("wrong-key", "10.6.2").rows[-1].step == "10.6.2-11"


def test_a_call_is_drawn_from_its_invite_over_lir_and_media_to_the_end() -> None:
    titles = [row.title for row in ladder_of("services", "call").rows]
    wanted = ["INVITE", "LIR", "LIA 2001", "INVITE", "200 OK", "200 OK", "ACK", "ACK"]
    ended = ["BYE", "BYE", "200 OK", "200 OK"]
    assert titles == [*wanted, "RTP, 26 packets", "RTP, 26 packets", *ended]


def test_service_authorisations_are_drawn_with_the_refusals_before() -> None:
    """TS 24.379 §7.3.2: no token, the home's, the partner's; keys are fetched once."""
    drawn = [one for one in report_of(SERVICES[1]).ladders if one.procedure == "service authorisation"]
    assert [one.rows[-1].title for one in drawn] == [
        "403 Forbidden: 101 service authorisation failed", "403 Forbidden: 101 service authorisation failed", "200 OK",
    ]  # fmt: skip
    assert [sum(row.wire == "HTTPS" for row in one.rows) for one in drawn] == [0, 4, 0]
    (claims,) = [dict(row.fields) for row in drawn[2].rows if row.title == "third-party REGISTER"]
    assert claims["token: MC service ID"] == "sip:alice@mc1.lab"
    assert claims["token: issuer"] == "https://idms.mc2.lab"


@pytest.mark.parametrize("name", ["migration", "two-ues", "resync", SERVICES[1]])
def test_no_vector_response_or_token_stands_in_a_report(name: str) -> None:
    capture = capture_of(name)
    secrets = set()
    for message in capture.diameter:
        for avp in walk(message.avps):
            if avp.code in (609, 610, 625, 626):
                value = avp.octets[24:]
                secrets |= {value, base64.b64encode(bytes.fromhex(value)).decode()}
    for sip in capture.sip:
        for header in ("authorization", "www-authenticate"):
            given = digest_parameters(sip.header(header))
            secrets |= {given[part] for part in ("nonce", "response", "auts") if given.get(part)}
    for http in capture.http:
        secrets |= {bearer_of(http), *(str(http.json().get(part, "")) for part in ("access_token", "id_token"))}
    secrets |= {token for one in capture.payloads for token in TOKEN.findall(one.octets.decode("latin-1"))}
    found = {secret for secret in secrets if len(secret) >= 16}
    assert len(found) >= 10
    text = report_of(name).model_dump_json()
    assert not {secret for secret in found if secret in text}
