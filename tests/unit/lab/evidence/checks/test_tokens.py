"""A token that is refused, and an assertion that is used again."""

import base64
import json
from types import SimpleNamespace
from urllib.parse import urlencode

from lab.evidence.checks.tokens import assertion_serves_once, token_refused
from lab.evidence.messages import Capture
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence, read_stories
from lab.evidence.texts import JWT_BEARER


def _assertion(jti: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"jti": jti}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.c2ln"


def _grants(make: SimpleNamespace, *uses: tuple[str, int, dict[str, str]]) -> Evidence:
    """Return evidence of a UE that gave assertions to idms.mc1, each answered."""
    messages = []
    for place, (jti, status, answer) in enumerate(uses):
        form = urlencode({"grant_type": JWT_BEARER, "assertion": _assertion(jti)})
        messages.append(make.http(10 * place + 1, "ue", "idms1", "/token", form, stream=place))
        messages.append(make.http(10 * place + 2, "idms1", "ue", status, json.dumps(answer), stream=place))
    return read_stories(Capture(http=tuple(messages)), make.facts())


TOKEN = {"access_token": "x"}
REFUSED = {"error": "invalid_grant", "error_description": "the assertion was used before"}


def test_the_last_request_decides(make: SimpleNamespace) -> None:
    refused = _grants(make, ("a", 200, TOKEN), ("b", 400, REFUSED))
    finding = token_refused(refused, ue="ue1", system="mc1", error="invalid_grant")
    assert (finding.verdict, finding.detail) == (Verdict.PASS, "the assertion was used before")
    granted = _grants(make, ("b", 400, REFUSED), ("a", 200, TOKEN))
    assert token_refused(granted, ue="ue1", system="mc1", error="invalid_grant").verdict is Verdict.FAIL


def test_two_assertions_are_no_replay(make: SimpleNamespace) -> None:
    finding = assertion_serves_once(_grants(make, ("a", 200, TOKEN), ("b", 400, REFUSED)), ue="ue1", system="mc1")
    assert finding.detail == "no security token was used twice"


def test_an_assertion_that_serves_twice_fails(make: SimpleNamespace) -> None:
    good = _grants(make, ("a", 200, TOKEN), ("a", 400, REFUSED))
    assert assertion_serves_once(good, ue="ue1", system="mc1").verdict is Verdict.PASS
    bad = _grants(make, ("a", 200, TOKEN), ("a", 200, TOKEN))
    assert "use again in frame 11" in assertion_serves_once(bad, ue="ue1", system="mc1").detail
