"""What a UE sent and got, retransmissions counted once."""

from types import SimpleNamespace

from lab.evidence.checks.sip import registrations, sip_got, sip_status
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories


def test_a_request_without_a_response_has_no_status(asked: Evidence) -> None:
    finding = sip_status(asked, ue="ue1", system="mc2", method="REGISTER", status=200)
    assert finding.verdict is Verdict.FAIL
    assert "no final response" in finding.detail


def test_a_retransmission_is_one_request_and_its_time_runs_from_the_first(make: SimpleNamespace) -> None:
    sip = (*(make.sip(n, "ue", "pcscf", "REGISTER") for n in (1, 2)), make.sip(900, "pcscf", "ue", 200))
    evidence = read_stories(Capture(sip=sip), make.facts())
    late = sip_got(evidence, ue="ue1", system="mc2", method="REGISTER", status=200, within_s=0.5)
    assert late.verdict is Verdict.FAIL
    assert sip_got(evidence, ue="ue1", system="mc2", method="REGISTER", status=200, within_s=1.0).frames == (1, 900)


def test_a_200_without_a_challenge_is_no_registration(make: SimpleNamespace) -> None:
    sip = (make.sip(1, "ue", "pcscf", "REGISTER"), make.sip(2, "pcscf", "ue", 200))
    finding = registrations(read_stories(Capture(sip=sip), make.facts()), ue="ue1", system="mc2", count=1)
    assert finding.detail == "a 200 without a challenge"
