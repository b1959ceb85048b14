"""Third-party REGISTERs: whose, and with which token (real captures: tests/conformance)."""

import base64
import json
from types import SimpleNamespace

from lab.evidence.checks.service_authorisation import service_authorised, service_refused, third_party, tokens_in
from lab.evidence.messages import Capture, Payload
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories


def token(**claims: object) -> str:
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".s"


def evidence(make: SimpleNamespace, text: str, status: int, warning: str = "") -> Evidence:
    def at(message, source: str, destination: str):
        frame = message.frame._replace(source=source, destination=destination)
        return type(message)(frame, message.method, message.uri, message.status, "", message.headers, message.text)

    asked = make.sip(1, "ue", "pcscf", "REGISTER", to="<sip:a@d>")
    third = at(make.sip(2, "scscf", "ue", "REGISTER", call_id="t", to="<sip:a@d>"), "10.77.2.12", "10.77.2.7")
    said = at(make.sip(3, "ue", "scscf", status, call_id="t", warning=warning), "10.77.2.7", "10.77.2.12")
    octets = f'<mcptt-access-token type="Normal"><mcpttString>{text}</mcpttString>'.encode() if text else b"x"
    hosts = {**make.facts().hosts, "10.77.2.7": "mcs.mc2.lab"}
    capture = Capture(sip=(asked, third, said), payloads=(Payload(third.frame, octets),))
    return read_stories(capture, make.facts(hosts=hosts))


def test_the_token_of_a_third_party_register_is_read(make: SimpleNamespace) -> None:
    found = evidence(make, token(iss="https://idms.mc2.lab"), 200)
    (one,) = third_party(found, "ue1", "mc2")
    assert (one.claims, one.reply.status if one.reply else 0) == ({"iss": "https://idms.mc2.lab"}, 200)
    assert len(tokens_in(found, one.request)) == 1


def test_what_a_200_lacks_is_said(make: SimpleNamespace) -> None:
    finding = service_authorised(evidence(make, token(iss="x"), 200), ue="ue1", system="mc2")
    assert finding.verdict is Verdict.FAIL
    for lack in ("carried a token", "issuer of the token", "MC service ID", "another server", "for no keys"):
        assert lack in finding.detail


def test_a_refusal_has_its_status_and_its_warning(make: SimpleNamespace) -> None:
    warned = evidence(make, "", 403, '399 mcs "101 service authorisation failed"')
    assert service_refused(warned, ue="ue1", system="mc2", issuer="").verdict is Verdict.PASS
    assert "no warning" in service_refused(evidence(make, "", 403), ue="ue1", system="mc2", issuer="").detail
