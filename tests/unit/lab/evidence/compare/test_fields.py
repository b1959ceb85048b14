"""The fields of a step are names of AVPs, headers and members; a value stands only where it may be shown."""

from collections.abc import Callable
from types import SimpleNamespace

from lab.evidence.compare.fields import fields_of_steps
from lab.evidence.report import StepReport, Verdict
from lab.evidence.story import Evidence


def step(*frames: int) -> StepReport:
    return StepReport(id="s", title="t", wire="w", verdict=Verdict.PASS, frames=frames)


def test_an_avp_has_its_value_where_it_may_be_shown(evidence: Callable[..., Evidence], make: SimpleNamespace) -> None:
    key = make.avp(625, "0123456789abcdef")._replace(name="Confidentiality-Key", vendor_id=10415)
    found = fields_of_steps([step(10)], evidence(more=(key,)))["s"]
    assert found["MAR: User-Name"] == "1@x"
    assert "0123456789abcdef" not in found["MAR: Confidentiality-Key"]


def test_headers_and_members_are_named(evidence: Callable[..., Evidence]) -> None:
    found = fields_of_steps([step(1, 9, 20)], evidence())["s"]
    assert {"REGISTER: call-id", "REGISTER 4xx: cseq", "request: a", "request: a.b"} <= set(found)
    assert "secret" not in str(found)


def test_a_step_without_frames_has_no_fields(evidence: Callable[..., Evidence]) -> None:
    assert fields_of_steps([step(), step(999)], evidence()) == {"s": {}}
