"""Two small runs made by hand: one Diameter hop, one REGISTER, one HTTP exchange."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.compare.comparison import Side
from lab.evidence.messages import Capture
from lab.evidence.report import CheckReport, Report, StepReport, Verdict
from lab.evidence.story import Evidence, read_stories


@pytest.fixture
def evidence(make: SimpleNamespace) -> Callable[..., Evidence]:
    def build(*, took: int = 4, answered: bool = True, more: tuple[Any, ...] = ()) -> Evidence:
        mar = make.diameter(10, "scscf", "proxy2", make.avp(1, "1@x")._replace(name="User-Name"), *more)
        maa = make.diameter(10 + took, "proxy2", "scscf", make.avp(268, "2001"), request=False)
        sip = (
            make.sip(1, "ue", "pcscf", "REGISTER"),
            make.sip(2, "ue", "pcscf", "REGISTER"),
            make.sip(9, "pcscf", "ue", 401),
        )
        http = (make.http(20, "cms1", "mms1", "/csc-x/v1/bindings/ab12cd34ef/confirm", '{"a":{"b":"secret"}}'),
                make.http(25, "mms1", "cms1", 204))  # fmt: skip
        return read_stories(Capture(sip, (mar, maa) if answered else (mar,), http), make.facts())

    return build


@pytest.fixture
def side(evidence: Callable[..., Evidence]) -> Callable[..., Side]:
    def build(verdict: str = "pass", run: str = "/run", checks: tuple[str, ...] = ("c",), **more: Any) -> Side:
        python = more.pop("python", "3.11")
        judged = Verdict(verdict)
        step = StepReport(id="10.6.2-3", title="t", wire="AAA-2", verdict=judged, frames=(10,), detail="why")
        report = Report(
            scenario="s", what="w", verdict=judged, steps=(step,), expectations=(), capture="", run=run,
            checks=tuple(CheckReport(name=name, verdict=Verdict.PASS) for name in checks),
            environment={"python": python},
        )  # fmt: skip
        return Side(report, evidence(**more))

    return build
