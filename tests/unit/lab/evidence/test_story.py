"""Stories are read from messages in any order and number; what is not there is None, never an exception."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lab.evidence.messages import Capture, SipMessage
from lab.evidence.story import Evidence, LentSets, identity_set, read_stories

FIRST = 'Digest username="mig-a@ims.mc2.lab", nonce="", response=""'
ANSWER = 'Digest username="mig-a@ims.mc2.lab", nonce="bm9uY2U=", response="00"'
TO = "<sip:mig-a@ims.mc2.lab>"


def register(make: SimpleNamespace, number: int, cseq: int, authorization: str = FIRST, **headers: str) -> SipMessage:
    message: SipMessage = make.sip(
        number, "ue", "pcscf", "REGISTER", cseq, authorization=authorization, to=TO, **headers
    )
    return message


def reply(make: SimpleNamespace, number: int, cseq: int, status: int) -> SipMessage:
    message: SipMessage = make.sip(number, "pcscf", "ue", status, cseq)
    return message


def read(make: SimpleNamespace, *sip: SipMessage, **changes: Any) -> Evidence:
    return read_stories(Capture(sip=sip, **changes), make.facts())


def test_an_empty_capture_has_one_story_of_nothing(make: SimpleNamespace) -> None:
    (story,) = read(make).stories
    assert (story.ue.name, story.partner, story.home, story.details, story.sets) == (
        "ue1",
        None,
        None,
        None,
        LentSets(),
    )


def test_a_registration_goes_from_the_first_register_to_its_final_response(make: SimpleNamespace) -> None:
    sip = (
        register(make, 1, 1), register(make, 2, 1), reply(make, 3, 1, 401), reply(make, 4, 1, 401),
        register(make, 5, 2, ANSWER), register(make, 6, 2, ANSWER), reply(make, 7, 2, 200),
    )  # fmt: skip
    (story,) = read(make, *sip).stories
    assert story.partner is not None
    numbers = [
        m.frame.number
        for m in (story.partner.first, story.partner.challenge, story.partner.answer, story.partner.final)
        if m
    ]
    assert numbers == [1, 3, 5, 7]
    assert story.partner.identities == ("mig-a@ims.mc2.lab", "sip:mig-a@ims.mc2.lab")


def test_each_registration_has_its_story_and_a_later_one_renews(make: SimpleNamespace) -> None:
    sip = (
        register(make, 1, 1), reply(make, 2, 1, 401), register(make, 3, 2, ANSWER), reply(make, 4, 2, 200),
        register(make, 5, 3, ANSWER), reply(make, 6, 3, 401), register(make, 7, 4, ANSWER), reply(make, 8, 4, 200),
    )  # fmt: skip
    partners = [story.partner for story in read(make, *sip).stories]
    assert [(p.first.frame.number, p.renews) for p in partners if p] == [(1, False), (5, True)]


def test_a_challenge_that_nobody_answers_ends_with_the_next_first_register(make: SimpleNamespace) -> None:
    sip = (register(make, 1, 1), reply(make, 2, 1, 401), register(make, 3, 2), reply(make, 4, 2, 403))
    partners = [story.partner for story in read(make, *sip).stories]
    assert [p.final.status if p and p.final else None for p in partners] == [None, 403]


def test_a_challenge_at_the_end_of_the_capture_is_kept(make: SimpleNamespace) -> None:
    (story,) = read(make, register(make, 1, 1), reply(make, 2, 1, 401)).stories
    assert story.partner is not None and story.partner.challenge is not None and story.partner.final is None


def test_a_deregistration_is_no_registration(make: SimpleNamespace) -> None:
    assert read(make, register(make, 1, 1, expires="0"), reply(make, 2, 1, 200)).stories[0].partner is None


def test_an_answer_without_a_request_and_a_request_without_an_answer_are_no_crash(make: SimpleNamespace) -> None:
    (story,) = read(make, reply(make, 1, 9, 200), register(make, 2, 1)).stories
    assert story.partner is not None and story.partner.final is None


def test_sets_that_were_entered_by_hand_are_read_from_the_feed(make: SimpleNamespace) -> None:
    entry = {
        "role": "partner",
        "identities": {
            "private_user_identity": "mig-a@ims.mc2.lab",
            "public_user_identities": ["sip:mig-a@ims.mc2.lab"],
        },
        "counterpart": {
            "private_user_identity": "mig-p@ims.mc1.lab",
            "public_user_identities": ["sip:mig-p@ims.mc1.lab"],
        },
    }
    feed = (
        make.http(1, "proxy1", "mms1", "/feed/v1/changes?after=0"),
        make.http(2, "mms1", "proxy1", 200, json.dumps({"entries": [entry, {"role": "primary"}, 7]})),
    )
    (story,) = read(make, register(make, 3, 1), http=feed).stories
    assert story.sets == LentSets(
        ("mig-p@ims.mc1.lab", "sip:mig-p@ims.mc1.lab"), ("mig-a@ims.mc2.lab", "sip:mig-a@ims.mc2.lab"), by_hand=True
    )


def test_the_mar_is_followed_by_its_end_to_end_over_the_legs(make: SimpleNamespace) -> None:
    identity = make.avp(1, "mig-a@ims.mc2.lab")
    diameter = (
        make.diameter(2, "scscf", "proxy2", identity, stream=1, end_to_end=7),
        make.diameter(3, "proxy2", "proxy1", make.avp(1, "other"), stream=2, end_to_end=9, is_tls=True),
        make.diameter(4, "proxy2", "proxy1", make.avp(1, "mig-p"), stream=2, end_to_end=7, is_tls=True, hop_by_hop=2),
        make.diameter(5, "proxy1", "hss", make.avp(1, "mig-p"), stream=3, end_to_end=7),
        make.diameter(6, "hss", "proxy1", stream=3, end_to_end=7, request=False),
    )
    (story,) = read(make, register(make, 1, 1), reply(make, 9, 1, 401), diameter=diameter).stories
    assert [h.request.frame.number for h in (story.aaa_2, story.csc_y, story.hss) if h] == [2, 4, 5]
    assert story.hss is not None and story.hss.answer is diameter[4]


def test_agents_on_the_way_are_hops_of_one_transaction_and_a_vain_try_is_none(make: SimpleNamespace) -> None:
    hosts = {**make.facts().hosts, "10.77.2.15": "edge.mc2.lab", "10.77.2.13": "proxy2.mc2.lab"}
    mar = make.avp(1, "mig-a@ims.mc2.lab")

    def hop(number: int, source: str, destination: str, name: str = "") -> object:
        message = make.diameter(number, source, destination, mar, stream=number, end_to_end=7, hop_by_hop=number)
        ends = {"source" if name == source else "destination": "10.77.2.15"} if name else {}
        return replace(message, frame=message.frame._replace(**ends))

    diameter = (
        hop(2, "scscf", "proxy2"),
        hop(3, "proxy2", "proxy1"),
        hop(4, "proxy2", "proxy1", "proxy1"),
        hop(5, "proxy2", "proxy1", "proxy2"),
        hop(6, "proxy1", "hss"),
    )
    evidence = read_stories(
        Capture(sip=(register(make, 1, 1), reply(make, 9, 1, 401)), diameter=diameter), make.facts(hosts=hosts)
    )
    (story,) = evidence.stories
    assert [one.request.frame.number for one in story.csc_y_path] == [4, 5]
    assert story.csc_y is story.csc_y_path[0]
    assert [one.request.frame.number for one in story.hss_path] == [6]


def test_what_is_no_identity_set_is_empty() -> None:
    for value in (
        None,
        3,
        {},
        {"private_user_identity": "a"},
        {"private_user_identity": "", "public_user_identities": []},
    ):
        assert identity_set(value) == ()


def test_bodies_of_another_form_are_no_crash(make: SimpleNamespace) -> None:
    path = "/csc-4/v1/partner-mc-system-connection-details"
    for body in ("", "[]", "3", '{"mc_service_ids": 3}', '{"mc_service_ids": null, "default_identities": []}'):
        request = make.http(1, "ue", "cms1", path, body)
        (story,) = read(make, http=(request, make.http(2, "cms1", "ue", 200, body))).stories
        assert story.details is not None
