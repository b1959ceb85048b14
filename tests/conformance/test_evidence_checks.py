"""Each named check accepts one real capture and rejects another, or a mutated one (docs/report.md lists them).

The captures are of real runs (tests/vectors/captures/README.md); each is dissected once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lab.evidence.checks.authentication import member
from lab.evidence.checks.expectations import REGISTRY, run_check
from lab.evidence.checks.finding import Finding
from lab.evidence.dissect import dissect
from lab.evidence.facts import load_facts
from lab.evidence.judge import ALWAYS
from lab.evidence.messages import Capture, Payload
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories

VECTORS = Path(__file__).parents[1] / "vectors" / "captures"


@cache
def real(name: str) -> Evidence:
    return read_stories(dissect(VECTORS / name / "capture.pcapng"), load_facts(VECTORS / name))


@dataclass(frozen=True)
class Case:
    """A check by name, its parameters, a capture that it accepts and one that it rejects, and why."""

    name: str
    parameters: Mapping[str, Any]
    accepts: str
    rejects: str
    because: str
    other: Mapping[str, Any] = field(default_factory=dict)


UE1 = {"ue": "ue1", "system": "mc2"}
REGISTER = {**UE1, "method": "REGISTER"}
CALL = {"caller": "ue3", "callee": "ue1", "system": "mc2"}
MAA_THEN = {"leg": "aaa-2", "command": "MAR", "code": 2001, "within_s": 60.0}
KILLED = {
    "moment": "proxy1.mc2 killed",
    "ue": "ue1",
    "sip": {"system": "mc2", "status": 200, "within_s": 60.0},
    "diameter": MAA_THEN,
    "broken_by": "proxy1.mc2",
}

# fmt: off
CASES = (
    Case("sip-status", {**REGISTER, "status": 200}, "migration", "wrong-key", "status 401"),
    Case("sip-status", {**REGISTER, "status": [200, 202], "within_s": 60.0}, "migration", "migration", "it came after",
         {"within_s": 1e-6}),
    Case("sip-got", {**REGISTER, "status": 403}, "unbound-identity", "migration", "no 403"),
    Case("sip-never", {**REGISTER, "status": 403}, "migration", "unbound-identity", "403 in frame"),
    Case("sip-never", {**REGISTER, "status": 403}, "migration", "not-authorised", "sent no REGISTER"),
    Case("registrations", {**UE1, "count": 2}, "refresh", "migration", "found 1, wanted 2"),
    Case("deregistered", UE1, "home-registered", "migration", "no 200 to a de-registration"),
    Case("resynchronised", UE1, "resync", "migration", "sent no AUTS"),
    Case("challenge-unanswered", UE1, "wrong-key", "migration", "ue1 answered in frame"),
    Case("challenge-unanswered", UE1, "wrong-key", "unbound-identity", "never challenged"),
    Case("message-delivered", UE1, "migration", "refresh", "no MESSAGE reached ue1"),
    Case("called", {**CALL, "packets": 25}, "services", "migration", "no call of ue3 to ue1"),
    Case("called", {**CALL, "caller": "ue1", "callee": "ue3", "packets": 25}, "services", "services", "wanted 100000",
         {"packets": 100_000}),
    Case("call-refused", {**CALL, "status": 486}, "services", "services", "RTP flowed all the same", {"status": 200}),
    Case("call-refused", {**CALL, "status": 486}, "services", "migration", "no call of ue3 to ue1"),
    Case("service-authorised", UE1, "service-authorisation-refused", "migration", "no third-party REGISTER"),
    Case("service-refused", {**UE1, "issuer": ""}, "service-authorisation-refused", "migration",
         "no third-party REGISTER"),
    Case("service-refused", {**UE1, "issuer": "https://idms.mc1.lab"}, "service-authorisation-refused",
         "service-authorisation-refused", "answer: found 200, wanted 403", {"issuer": "https://idms.mc2.lab"}),
    Case("time-between", {"ue": "ue1", "first": "10.6.2-2", "last": "10.6.2-13", "at_most_s": 60.0}, "migration",
         "migration", "passed, wanted", {"at_most_s": 1e-6}),
    Case("both-orders", {}, "both-orders", "migration", "orders seen"),
    Case("diameter-answer", {"leg": "aaa-2", "command": "UAR", "code": 5001}, "unbound-identity", "migration",
         "no answer 5001"),
    Case("diameter-answer", {"leg": "csc-y", "command": "MAR", "code": 2001, "within_s": 60.0}, "migration",
         "migration", "came after", {"within_s": 1e-6}),
    Case("http-refused", {"ue": "ue1", "wire": "csc-4", "status": 403, "step": "10.1.X.1-2"}, "not-authorised",
         "migration", "status: found 200"),
    Case("nothing-on", {"leg": "csc-x"}, "not-authorised", "migration", "csc-x carries requests"),
    Case("nothing-on", {"leg": "csc-17"}, "not-authorised", "migration", "csc-17 carries requests"),
    Case("nothing-on", {"leg": "csc-4"}, "unbound-identity", "migration", "csc-4 carries requests"),
    Case("nothing-on", {"leg": "csc-1"}, "unbound-identity", "migration", "csc-1 carries requests"),
    Case("nothing-on", {"leg": "csc-y"}, "unbound-identity", "migration", "csc-y carries requests"),
    Case("nothing-on", {"leg": "hss"}, "unbound-identity", "migration", "hss carries requests"),
    Case("nothing-on", {"leg": "gm"}, "not-authorised", "migration", "gm carries requests"),
    Case("identity-absent", {"identity": "001010000000001", "leg": "csc-y"}, "migration", "migration", "holds it",
         {"leg": "aaa-2"}),
    Case("identity-absent", {"identity": "001010000000009@ims.mc1.lab"}, "migration", "migration", "holds it",
         {"identity": "001010000000001@ims.mc1.lab"}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "migration", "no moment proxy1.mc2 killed"),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "status 200 OK, wanted",
         {"sip": {"system": "mc2", "status": 504, "within_s": 60.0}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "it came after",
         {"sip": {"system": "mc2", "status": 200, "within_s": 1e-6}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "it came after 2",
         {"sip": {"system": "mc2", "status": 200, "within_s": 1.0}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "s after the moment",
         {"sip": {"system": "mc2", "status": 200, "within_s": 60.0, "by_s": 1e-6}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "no final response",
         {"sip": {"system": "mc1", "status": 200, "within_s": 60.0}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration",
         "proxy2.mc2 refused and ended no connection", {"broken_by": "proxy2.mc2"}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration",
         "MAR on aaa-2 was answered: [2001]", {"no_answer": {"leg": "aaa-2", "command": "MAR"}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration",
         "proxy1.mc2 refused or ended one only after", {"broken_by": "proxy1.mc2", "broken_within_s": 1e-6}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "no answer 3002 to MAR",
         {"diameter": {**MAA_THEN, "code": 3002}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "came after",
         {"diameter": {**MAA_THEN, "within_s": 1e-6}}),
    Case("at-moment", KILLED, "proxy-killed-in-registration", "proxy-killed-in-registration", "asked nothing on csc-4",
         {"http": {"wire": "csc-4", "status": 200}}),
    Case("home-registration-kept", {"ue": "ue1"}, "home-registered", "refresh", "was not registered in mc1"),
    Case("home-registration-kept", {"ue": "ue1"}, "home-registered", "both-orders", "not registered in a partner"),
    Case("distinct-sets", {"ues": ["ue1", "ue2"]}, "two-ues", "migration", "ue3 was not lent both sets",
         {"ues": ["ue1", "ue3"]}),
    Case("distinct-sets", {"ues": ["ue1", "ue2"]}, "two-ues", "two-ues", "fewer than two", {"ues": ["ue1"]}),
    Case("partner-chosen", UE1, "migration", "migration", "partner of step 13", {"system": "mc1"}),
    Case("hss-asked-for", {"ue": "ue1", "identities": "lent"}, "migration", "random-set", "User-Name"),
    Case("hss-asked-for", {"ue": "ue1", "identities": "default"}, "random-set", "migration", "User-Name"),
    Case("hss-asked-for", {"ue": "ue1", "identities": "lent"}, "migration", "not-authorised", "no MAR of ue1"),
    Case("through-agents", {"ue": "ue1", "csc_y": ["edge.mc2.lab", "edge.mc1.lab"], "hss": ["dra.mc1.lab"]}, "with-dra",
         "migration", "agents on csc-y: found []"),
    Case("impus-paired", {"ue": "ue1", "count": 3}, "several-impus", "migration", "IMPUs of the primary set"),
    Case("sets-per-partner", {"ue": "ue1", "systems": ["mc2", "mc3"]}, "withdrawal", "migration", "no set for mc1",
         {"systems": ["mc1", "mc2"]}),
    Case("configuration-off-line", {"ue": "ue1"}, "static-configuration", "migration", "step 12 brought"),
    Case("registration-terminated", UE1, "withdrawal", "migration", "no RTR for the partner set on aaa-2"),
    Case("registration-terminated", {**UE1, "within_s": 2.0}, "hss-cancels", "hss-cancels", "no RTA 2001 in 1e-06 s",
         {"within_s": 1e-6}),
    Case("withdrawal-told", UE1, "withdrawal", "migration", "no withdrawal of the set"),
    Case("refused-before-told", UE1, "withdrawal-partner-down", "withdrawal", "answered 5001 on CSC-Y"),
    Case("cancelled-by-hss", {"ue": "ue1", "identities": "lent"}, "hss-cancels", "hss-cancels", "for the default set",
         {"identities": "default"}),
    Case("cancelled-by-hss", {"ue": "ue2", "identities": "default"}, "hss-cancels", "hss-cancels", "for the lent set",
         {"identities": "lent"}),
    Case("message-refused", {**UE1, "status": [480, 604]}, "withdrawal", "migration", "no RTR ended"),
    Case("message-refused", {**UE1, "status": [480, 604]}, "withdrawal", "withdrawal", "seen: [", {"status": 200}),
    Case("registration-event", {**UE1, "state": "terminated"}, "withdrawal", "migration", "no NOTIFY"),
    Case("hold-lapsed", {"system": "mc1", "role": "primary"}, "cms-killed-after-step-6", "withdrawal",
         "shows a held set"),
    Case("instance-lost", {"ue": "ue2", "system": "mc2"}, "two-mms-one-killed", "two-ues", "no other instance"),
    Case("instance-lost", {"ue": "ue2", "system": "mc1"}, "two-mms-one-killed", "two-mms-one-killed",
         "mms2.mc1.lab was at work until", {"ue": "ue1"}),
    Case("token-refused", {**UE1, "error": "invalid_grant"}, "token-exchange-refused", "token-replayed",
         "error: found 'invalid_grant'", {"error": "invalid_target"}),
    Case("token-refused", {**UE1, "error": "invalid_grant"}, "token-exchange-refused", "migration", "found 200"),
    Case("assertion-serves-once", UE1, "token-replayed", "migration", "used twice"),
    Case("two-signing-keys", {"system": "mc1"}, "idms-key-rotation", "migration", "with one key only"),
)
# fmt: on


@dataclass(frozen=True)
class Named:
    name: str
    parameters: Mapping[str, Any]


def checked(name: str, parameters: Mapping[str, Any], evidence: Evidence) -> Finding:
    return run_check(Named(name, parameters), evidence)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.rejects}")
def test_a_check_accepts_one_capture_and_rejects_another(case: Case) -> None:
    accepted = checked(case.name, case.parameters, real(case.accepts))
    rejected = checked(case.name, {**case.parameters, **case.other}, real(case.rejects))
    assert (accepted.verdict, accepted.detail if accepted.verdict is not Verdict.PASS else "") == (Verdict.PASS, "")
    assert rejected.verdict is Verdict.FAIL
    assert case.because in rejected.detail


def test_every_named_check_has_its_case() -> None:
    assert {case.name for case in CASES} == set(REGISTRY)


@pytest.mark.parametrize("name", ["nothing-on", "identity-absent"])
def test_a_wire_that_is_none_is_a_mistake_and_no_pass(name: str) -> None:
    parameters = {"leg": "cscy"} if name == "nothing-on" else {"leg": "cscy", "identity": "x"}
    with pytest.raises(KeyError, match="no wire cscy"):
        checked(name, parameters, real("migration"))


def test_an_empty_identity_is_a_mistake_and_no_pass() -> None:
    with pytest.raises(ValueError, match="empty identity"):
        checked("identity-absent", {"identity": ""}, real("migration"))


def test_an_identity_is_not_absent_from_a_wire_on_which_nothing_was() -> None:
    finding = checked(
        "identity-absent", {"identity": "x", "leg": "csc-y"}, read_stories(Capture(), real("migration").facts)
    )
    assert finding.verdict is Verdict.FAIL


# --- mutations where no other real capture shows the fault ----------------------------------------------------


def test_an_auts_that_is_no_auts_proves_no_resynchronisation() -> None:
    evidence = real("resync")

    def without(message: Any) -> Any:
        values = message.headers.get("authorization", ("",))
        if "auts=" not in values[0]:
            return message
        return replace(
            message, headers={**message.headers, "authorization": (values[0].replace('auts="', 'auts="AA'),)}
        )

    changed = replace(evidence.capture, sip=tuple(without(m) for m in evidence.capture.sip))
    finding = checked("resynchronised", UE1, read_stories(changed, evidence.facts))
    assert finding.verdict is Verdict.FAIL
    assert "14 octets" in finding.detail


def test_an_sar_that_ends_the_home_registration_is_seen() -> None:
    evidence = real("home-registered")
    home = next(
        m
        for m in evidence.index.diameter("aaa-2", 301)
        if m.is_request and evidence.facts.system_of(m.frame.source) == "mc1"
    )
    last = max(p.frame.number for p in evidence.capture.payloads)
    avps = tuple(avp._replace(value="5") if avp.code == 614 else avp for avp in home.avps)
    late = replace(home, frame=home.frame._replace(number=last), avps=avps)
    changed = replace(evidence.capture, diameter=(*evidence.capture.diameter, late))
    finding = checked("home-registration-kept", {"ue": "ue1"}, read_stories(changed, evidence.facts))
    assert finding.verdict is Verdict.FAIL
    assert finding.detail == f"frame [{last}] ended the home registration"


def test_one_identity_lent_to_two_is_seen() -> None:
    evidence = real("two-ues")
    stories = tuple(replace(story, sets=evidence.stories[0].sets) for story in evidence.stories)
    finding = checked("distinct-sets", {"ues": ["ue1", "ue2"]}, replace(evidence, stories=stories))
    assert finding.verdict is Verdict.FAIL
    assert "is ue1's and ue2's" in finding.detail


# --- what is always checked -----------------------------------------------------------------------------------

REAL = ("both-orders", "home-registered", "migration", "not-authorised", "random-set", "refresh", "resync",
        "several-impus", "two-ues", "unbound-identity", "wrong-key")  # fmt: skip
Edit = Callable[[Evidence], Capture]


def always(name: str, evidence: Evidence) -> Finding:
    return dict(ALWAYS)[name](evidence)


@pytest.mark.parametrize("vector", REAL)
@pytest.mark.parametrize("name", [name for name, _ in ALWAYS])
def test_what_is_always_checked_holds_in_every_real_capture(name: str, vector: str) -> None:
    finding = always(name, real(vector))
    assert (finding.verdict, finding.detail if finding.verdict is not Verdict.PASS else "") == (Verdict.PASS, "")


def on_the_wire(text: bytes, source: str, destination: str, stream: int = 90_000) -> Edit:
    """Octets between two hosts that tshark does not take for any message."""

    def edit(evidence: Evidence) -> Capture:
        addresses = {name: address for address, name in evidence.facts.hosts.items()}
        last = evidence.capture.payloads[-1].frame
        frame = last._replace(
            number=last.number + 1, source=addresses[source], destination=addresses[destination], stream=stream,
            source_port=40_000, destination_port=5868,
        )  # fmt: skip
        return replace(evidence.capture, payloads=(*evidence.capture.payloads, Payload(frame, text)))

    return edit


def split_over_two_segments(evidence: Evidence) -> Capture:
    identity = evidence.stories[0].sets.partner[0].encode()
    first = on_the_wire(b"\x16\x03" + identity[:9], "proxy1.mc2.lab", "proxy1.mc1.lab")(evidence)
    return on_the_wire(identity[9:], "proxy1.mc2.lab", "proxy1.mc1.lab")(replace(evidence, capture=first))


def partner_set_in_a_header_of_the_primary(evidence: Evidence) -> Capture:
    """In a Cookie, percent-encoded, toward the primary's identity management server."""
    identity = evidence.stories[0].sets.partner[0].replace("@", "%40")
    login = evidence.stories[0].authentication
    assert login is not None
    headers = {**login.request.headers, "cookie": f"user={identity}"}
    changed = tuple(replace(m, headers=headers) if m is login.request else m for m in evidence.capture.http)
    return replace(evidence.capture, http=changed)


def default_set_in_a_session_id(evidence: Evidence) -> Capture:
    hop = evidence.stories[0].csc_y
    assert hop is not None
    session = hop.request.avps[0]._replace(octets=b"proxy1;1;2;001010000000001@IMS.mc1.lab".hex())
    changed = replace(hop.request, avps=(session, *hop.request.avps[1:]))
    return replace(
        evidence.capture, diameter=tuple(changed if m is hop.request else m for m in evidence.capture.diameter)
    )


def primary_set_at_the_ue(evidence: Evidence) -> Capture:
    details = evidence.stories[0].details
    assert details is not None and details.response is not None
    body = details.response.body + evidence.stories[0].sets.primary[0]
    changed = tuple(replace(m, body=body) if m is details.response else m for m in evidence.capture.http)
    return replace(evidence.capture, http=changed)


def keys_as_parameters(evidence: Evidence) -> Capture:
    partner = evidence.stories[0].partner
    assert partner is not None and partner.challenge is not None
    challenge = partner.challenge
    header = challenge.header("www-authenticate") + ', ck="00112233445566778899aabbccddeeff"'
    changed = replace(challenge, headers={**challenge.headers, "www-authenticate": (header,)})
    return replace(evidence.capture, sip=tuple(changed if m is challenge else m for m in evidence.capture.sip))


def a_key_elsewhere(evidence: Evidence) -> Capture:
    partner, hop = evidence.stories[0].partner, evidence.stories[0].hss
    assert partner is not None and hop is not None and partner.final is not None
    changed = replace(partner.final, text=partner.final.text + "X-Key: " + member(hop.answer, 626).hex().upper())
    return replace(evidence.capture, sip=tuple(changed if m is partner.final else m for m in evidence.capture.sip))


def csc_y_in_the_clear(evidence: Evidence) -> Capture:
    diameter = tuple(replace(m, is_tls=False) for m in evidence.capture.diameter)
    return replace(evidence.capture, diameter=diameter)


def without_keys(evidence: Evidence) -> Capture:
    """What tshark shows of the same frames when the TLS secrets are missing."""
    plain = tuple(m for m in evidence.capture.diameter if not m.is_tls)
    return replace(evidence.capture, diameter=plain, http=(), certificates=())


# fmt: off
FAULTS: tuple[tuple[str, Edit, str], ...] = (
    ("identities-stay-where-they-may-be-seen", split_over_two_segments, "partner identity"),
    ("identities-stay-where-they-may-be-seen", partner_set_in_a_header_of_the_primary, "on idms"),
    ("identities-stay-where-they-may-be-seen", default_set_in_a_session_id, "default ISIM identity"),
    ("identities-stay-where-they-may-be-seen", primary_set_at_the_ue, "primary migration identity"),
    ("keys-never-reach-a-ue", keys_as_parameters, "['ck'] in frame"),
    ("keys-never-reach-a-ue", a_key_elsewhere, "a key of a vector"),
    ("systems-talk-over-tls", csc_y_in_the_clear, "plain Diameter between mc1 and mc2"),
    ("systems-talk-over-tls", on_the_wire(b"GET /", "cms.mc1.lab", "cms.mc2.lab"), "is no TLS between mc1 and mc2"),
    ("tls-was-readable", without_keys, "keys are missing"),
)
# fmt: on


@pytest.mark.parametrize(("name", "edit", "because"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_always_checked_rejects_a_mutated_capture(name: str, edit: Edit, because: str) -> None:
    evidence = real("migration")
    finding = always(name, read_stories(edit(evidence), evidence.facts))
    assert finding.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
    assert because in finding.detail


def test_everything_always_checked_has_a_mutation() -> None:
    assert {name for name, _, _ in FAULTS} == {name for name, _ in ALWAYS}


def test_a_capture_without_payload_proves_no_secrecy() -> None:
    empty = read_stories(Capture(), real("migration").facts)
    assert always("identities-stay-where-they-may-be-seen", empty).verdict is Verdict.UNKNOWN
