"""10.1.X.1: a request that led to nothing is judged, and what it did not lead to is absent."""

import json
from types import SimpleNamespace

import pytest

from lab.evidence.checks import connectivity
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.story import CSC_4_PATH, PRIMARY_SET_PATH, Evidence, read_stories

BODY = {
    "mc_service_ids": ["sip:alice@mc1.lab"],
    "location_information": {"ecgi": "00102-0000201"},
    "default_identities": {
        "private_user_identity": "1@ims.mc1.lab",
        "public_user_identities": ["sip:alice@ims.mc1.lab"],
    },
}


def request(make: SimpleNamespace, token: str = "Bearer x", **changes: object) -> Evidence:
    body = json.dumps({**BODY, **changes})
    return read_stories(
        Capture(http=(make.http(1, "ue", "cms1", CSC_4_PATH, body, authorization=token),)), make.facts()
    )


def test_a_whole_request_is_step_1(make: SimpleNamespace) -> None:
    evidence = request(make)
    assert connectivity.step_1(evidence.stories[0], evidence).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"token": ""}, "no bearer token"),
        ({"location_information": None}, "no location information"),
        ({"mc_service_ids": ["sip:bob@mc2.lab"]}, "MC service ID is missing"),
        ({"default_identities": None}, "default identities"),
    ],
)
def test_a_request_that_lacks_something_fails(make: SimpleNamespace, changes: dict[str, str], because: str) -> None:
    evidence = request(make, **changes)
    finding = connectivity.step_1(evidence.stories[0], evidence)
    assert finding.verdict is Verdict.FAIL
    assert because in finding.detail


LENT = {"private_user_identity": "mig-p@ims.mc1.lab", "public_user_identities": ["sip:mig-p@ims.mc1.lab"]}


@pytest.mark.parametrize(
    ("answer", "asked_for", "verdict"),
    [
        ((268, "2001"), LENT["private_user_identity"], Verdict.PASS),
        ((298, "5001"), LENT["private_user_identity"], Verdict.FAIL),
        ((268, "2001"), "mig-other@ims.mc1.lab", Verdict.FAIL),
    ],
)
def test_a_set_of_mode_sip_database_is_one_that_the_hss_knew(
    make: SimpleNamespace, answer: tuple[int, str], asked_for: str, verdict: Verdict
) -> None:
    given = json.dumps({"primary_mc_system_sip_identities": LENT})
    asked = json.dumps({**BODY, "partner_mc_system": "mc2"})
    evidence = read_stories(
        Capture(
            http=(
                make.http(1, "ue", "cms1", CSC_4_PATH, json.dumps(BODY), authorization="Bearer x"),
                make.http(2, "cms1", "mms1", PRIMARY_SET_PATH, asked, stream=6),
                make.http(5, "mms1", "cms1", 200, given, stream=6),
                make.http(6, "cms1", "ue", 403, "{}"),
            ),
            diameter=(
                make.diameter(3, "mms1", "hss", make.avp(1, asked_for), command=300, stream=7),
                make.diameter(4, "hss", "mms1", make.avp(*answer), command=300, stream=7, request=False),
            ),
        ),
        make.facts(
            systems=[
                {"name": "mc1", "home_domain": "ims.mc1.lab", "allocation": "sip-database"},
                {"name": "mc2", "home_domain": "ims.mc2.lab"},
            ]
        ),
    )
    assert connectivity.step_5(evidence.stories[0], evidence).verdict is verdict


@pytest.mark.parametrize("number", range(2, 14))
def test_what_did_not_follow_is_absent(number: int, make: SimpleNamespace) -> None:
    evidence = request(make)
    assert getattr(connectivity, f"step_{number}")(evidence.stories[0], evidence).verdict is Verdict.NOT_EXPECTED
