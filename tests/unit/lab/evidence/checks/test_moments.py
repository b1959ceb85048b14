"""From a named moment to the next one: what is outside does not count; real captures are in tests/conformance."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.moments import at_moment
from lab.evidence.messages import Capture, Frame, Payload
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories


def mark(number: int, time_s: float, name: str) -> Payload:
    """A datagram of the router to a discard port (RFC 863)."""
    return Payload(Frame(number, time_s, "10.77.1.1", "10.77.1.255", 40000, 9, -1), f"mclab moment: {name}".encode())


def answered(make: SimpleNamespace, *marks: Payload) -> Evidence:
    """A MAA of 2001 in frame 5, between what marks there are."""
    answer = make.diameter(5, "proxy2", "scscf", make.avp(268, "2001"), request=False)
    return read_stories(Capture(diameter=(answer,), payloads=marks), make.facts())


def wanted(evidence: Evidence, moment: str) -> tuple[Verdict, str]:
    answer = {"leg": "aaa-2", "command": "MAR", "code": 2001, "within_s": float("inf")}
    finding = at_moment(evidence, moment=moment, diameter=answer)
    return finding.verdict, finding.detail


def test_what_comes_before_a_moment_or_after_the_next_is_not_of_it(make: SimpleNamespace) -> None:
    time_s = make.diameter(5, "proxy2", "scscf", request=False).frame.time_s
    first, second = mark(1, time_s - 1, "first"), mark(6, time_s + 1, "second")
    evidence = answered(make, first, second)
    assert wanted(evidence, "first") == (Verdict.PASS, "")
    assert wanted(evidence, "second")[0] is Verdict.FAIL
    early = answered(make, first, mark(2, time_s - 0.5, "between"))
    assert wanted(early, "first")[0] is Verdict.FAIL
    assert wanted(early, "between")[0] is Verdict.PASS


def test_the_same_mark_on_every_network_is_one_moment(make: SimpleNamespace) -> None:
    time_s = make.diameter(5, "proxy2", "scscf", request=False).frame.time_s
    twice = answered(make, mark(1, time_s - 1, "dead"), mark(2, time_s - 0.9, "dead"), mark(9, time_s + 1, "mended"))
    assert wanted(twice, "dead") == (Verdict.PASS, "")


def test_a_registration_is_as_late_as_the_request_that_was_challenged(make: SimpleNamespace) -> None:
    """The HSS is asked for the challenge: an outage shows there, and not in the request that answers it."""
    messages = (
        make.sip(5, "ue", "pcscf", "REGISTER", 1),
        make.sip(85, "pcscf", "ue", 401, 1),
        make.sip(86, "ue", "pcscf", "REGISTER", 2),
        make.sip(87, "pcscf", "ue", 200, 2),
    )
    evidence = read_stories(Capture(sip=messages, payloads=(mark(1, 0.0, "dead"),)), make.facts())
    sip = {"system": "mc2", "status": 200}
    found = [
        at_moment(evidence, moment="dead", ue="ue1", sip={**sip, "within_s": within_s}) for within_s in (0.1, 0.05)
    ]
    assert [(one.verdict, one.detail) for one in found] == [
        (Verdict.PASS, ""),
        (Verdict.FAIL, "it came after 0.08 s, wanted 0.05 s"),
    ]


def test_a_command_that_is_to_stay_unanswered_must_have_no_answer_in_that_moment(make: SimpleNamespace) -> None:
    time_s = make.diameter(5, "proxy2", "scscf", request=False).frame.time_s
    evidence = answered(make, mark(1, time_s - 1, "dead"), mark(6, time_s + 1, "mended"))
    silent = {"leg": "aaa-2", "command": "MAR"}
    found = [at_moment(evidence, moment=moment, no_answer=silent) for moment in ("dead", "mended")]
    assert [(one.verdict, one.detail) for one in found] == [
        (Verdict.FAIL, "MAR on aaa-2 was answered: [2001]"),
        (Verdict.PASS, ""),
    ]


def test_a_request_over_http_ends_with_its_status_in_its_time(make: SimpleNamespace) -> None:
    asked, told = make.http(5, "ue", "cms1", "/csc-4/v1/x"), make.http(25, "cms1", "ue", 503, '{"step":"10.1.X.1-4"}')
    capture = Capture(http=(asked, told), payloads=(mark(1, 0.0, "dead"),))
    wanted = {"wire": "csc-4", "status": 503, "step": "10.1.X.1-4"}
    found = [
        at_moment(read_stories(capture, make.facts()), moment="dead", ue="ue1", http={**wanted, "within_s": within_s})
        for within_s in (0.03, 0.01)
    ]
    assert [(one.verdict, one.detail) for one in found] == [
        (Verdict.PASS, ""),
        (Verdict.FAIL, "it came after 0.02 s, wanted 0.01 s"),
    ]


def test_the_first_connection_that_a_host_ends_must_come_in_time(make: SimpleNamespace) -> None:
    refused = make.diameter(5, "proxy2", "scscf", request=False).frame
    evidence = read_stories(Capture(broken=(refused,), payloads=(mark(1, refused.time_s - 0.5, "dead"),)), make.facts())
    host = evidence.facts.hosts[refused.source].removesuffix(".lab")
    found = [at_moment(evidence, moment="dead", broken_by=host, broken_within_s=within_s) for within_s in (0.6, 0.4)]
    assert [(one.verdict, one.detail) for one in found] == [
        (Verdict.PASS, ""),
        (Verdict.FAIL, f"{host} refused or ended one only after 0.50 s, wanted 0.4 s"),
    ]


def test_a_moment_that_is_not_there_proves_nothing(make: SimpleNamespace) -> None:
    assert wanted(answered(make), "dead") == (Verdict.FAIL, "no moment dead in the capture")


def test_a_moment_of_which_nothing_is_asked_is_a_mistake(make: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="nothing is asked"):
        at_moment(answered(make, mark(1, 0.0, "dead")), moment="dead")
