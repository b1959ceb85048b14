"""The end of bindings: what counts as a confirmed RTR, a withdrawal, a hold that lapsed by itself."""

import json
from dataclasses import replace
from types import SimpleNamespace

from lab.evidence.checks.lifecycle import hold_lapsed, registration_terminated, withdrawal_told
from lab.evidence.messages import Capture, HttpMessage
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories

PRIVATE, PUBLIC = "mig-a@ims.mc2.lab", "sip:mig-a@ims.mc2.lab"
LENT, LENT_PUBLIC = "mig-p@ims.mc1.lab", "sip:mig-p@ims.mc1.lab"
HOSTS = {"10.77.2.16": "mms.mc2.lab", "10.77.2.17": "cms.mc2.lab"}


def _set(private: str, public: str) -> dict[str, object]:
    return {"private_user_identity": private, "public_user_identities": [public]}


def _fed(make: SimpleNamespace) -> tuple[HttpMessage, HttpMessage]:
    """Return a page of the feed that tells which set was lent for which."""
    entry = {"role": "partner", "identities": _set(PRIVATE, PUBLIC), "counterpart": _set(LENT, LENT_PUBLIC)}
    request = make.http(1, "mms1", "cms1", "/feed/v1/changes")
    return request, make.http(2, "cms1", "mms1", 200, json.dumps({"entries": [entry]}))


def _evidence(make: SimpleNamespace, *messages: object, http: tuple[HttpMessage, ...] = ()) -> Evidence:
    authorization = f'Digest username="{PRIVATE}", realm="ims.mc2.lab", nonce="", response="", algorithm=AKAv1-MD5'
    register = make.sip(3, "ue", "pcscf", "REGISTER", authorization=authorization, to=f"<{PUBLIC}>")
    facts = make.facts(hosts={**make.facts().hosts, **HOSTS})
    return read_stories(Capture(sip=(register,), diameter=messages, http=(*_fed(make), *http)), facts)


def _rtr(make: SimpleNamespace, number: int, answer_at: int, code: str = "2001", *named: str) -> list[object]:
    """Return an RTR of mms.mc2 over proxy1.mc2 to the S-CSCF, and its RTAs."""
    avps = [make.avp(1, PRIVATE), *(make.avp(601, one) for one in named or (PUBLIC,))]
    there = make.diameter(number, "proxy2", "scscf", *avps, command=304, stream=3)
    first = replace(
        make.diameter(number, "proxy2", "scscf", *avps, command=304, stream=4),
        frame=there.frame._replace(source="10.77.2.16", destination="10.77.2.14", stream=4),
    )
    back = make.diameter(answer_at, "scscf", "proxy2", make.avp(268, code), request=False, command=304, stream=3)
    last = replace(
        make.diameter(answer_at, "scscf", "proxy2", make.avp(268, code), request=False, command=304, stream=4),
        frame=back.frame._replace(source="10.77.2.14", destination="10.77.2.16", stream=4),
    )
    return [first, there, back, last]


def test_an_rtr_for_the_whole_set_with_its_rta_is_a_termination(make: SimpleNamespace) -> None:
    finding = registration_terminated(_evidence(make, *_rtr(make, 10, 20)), ue="ue1", system="mc2")
    assert (finding.verdict, finding.detail) == (Verdict.PASS, "RTA after 10 ms, 10 ms")


def test_an_rta_that_is_late_or_an_error_confirms_nothing(make: SimpleNamespace) -> None:
    late = _evidence(make, *_rtr(make, 10, 3000))
    assert "no RTA 2001 in 2 s on mms" in registration_terminated(late, ue="ue1", system="mc2").detail
    refused = _evidence(make, *_rtr(make, 10, 20, "5012"))
    assert "seen: [5012]" in registration_terminated(refused, ue="ue1", system="mc2").detail


def test_an_rtr_that_names_half_of_the_set_is_none(make: SimpleNamespace) -> None:
    evidence = _evidence(make, *_rtr(make, 10, 20, "2001", "sip:mig-z@ims.mc2.lab"))
    assert registration_terminated(evidence, ue="ue1", system="mc2").verdict is Verdict.FAIL


def test_a_withdrawal_that_the_partner_refuses_is_not_told(make: SimpleNamespace) -> None:
    body = json.dumps({"primary_mc_system_sip_identities": _set(LENT, LENT_PUBLIC)})
    asked = make.http(10, "cms1", "idms1", "/csc-17/v1/partner-mc-system-access/release", body)
    asked = replace(asked, frame=asked.frame._replace(destination="10.77.2.17"))
    answered = make.http(11, "idms1", "cms1", 503)
    answered = replace(answered, frame=answered.frame._replace(source="10.77.2.17"))
    finding = withdrawal_told(_evidence(make, http=(asked, answered)), ue="ue1", system="mc2")
    assert finding.detail == "mc2 did not take it: [503]"
    taken = replace(answered, status=204)
    assert withdrawal_told(_evidence(make, http=(asked, taken)), ue="ue1", system="mc2").verdict is Verdict.PASS


def _listing(make: SimpleNamespace, number: int, *states: str) -> tuple[HttpMessage, HttpMessage]:
    asked = make.http(number, "cms1", "mms1", "/csc-x/v1/bindings?role=primary", stream=number)
    rows = json.dumps([{"state": state} for state in states])
    return replace(asked, method="GET"), make.http(number + 1, "mms1", "cms1", 200, rows, stream=number)


def test_a_hold_that_is_given_back_has_not_lapsed(make: SimpleNamespace) -> None:
    seen = (*_listing(make, 10, "held"), *_listing(make, 30))
    assert hold_lapsed(_evidence(make, http=seen), system="mc1", role="primary").verdict is Verdict.PASS
    release = make.http(20, "cms1", "mms1", "/csc-x/v1/bindings/b-1/release", stream=20)
    given_back = (*seen[:2], release, *seen[2:])
    finding = hold_lapsed(_evidence(make, http=given_back), system="mc1", role="primary")
    assert finding.detail == "it was released in frame [20]"


def test_a_listing_that_is_never_empty_shows_no_lapse(make: SimpleNamespace) -> None:
    seen = (*_listing(make, 10, "held"), *_listing(make, 30, "allocated"))
    finding = hold_lapsed(_evidence(make, http=seen), system="mc1", role="primary")
    assert finding.detail == "no later listing is empty"
