"""When the proxies' reports prove that nobody used a primary migration set."""

from dataclasses import replace
from typing import Any

import pytest

from mmserver.migration.uses import FRESH_S, Use, UseReport, postponed_until, use_of

SINCE, NOW = 1000.0, 5000.0
GOOD = UseReport(SINCE - 1, NOW - FRESH_S)


# what the two proxies said                        what that proves
@pytest.mark.parametrize(("one", "other", "proven"), [
    (GOOD,                           GOOD,                              Use.NONE),
    (UseReport(SINCE, NOW),          GOOD,                              Use.NONE),
    (GOOD,                           None,                              Use.NOT_SAID),
    (GOOD,                           UseReport(SINCE, GOOD.at - 1),     Use.NOT_SAID),
    (GOOD,                           UseReport(None, NOW),              Use.NOT_SAID),
    (GOOD,                           UseReport(SINCE + 0.1, NOW),       Use.UNKNOWN),
    (None,                           UseReport(SINCE + 0.1, NOW),       Use.UNKNOWN),
])  # fmt: skip
async def test_all_proxies_must_have_watched_since_the_binding_began(
    mms: Any, one: UseReport | None, other: UseReport | None, proven: Use
) -> None:
    binding = replace(await mms.lent("a"), unused_since=SINCE)
    reports = {name: report for name, report in (("p1", one), ("p2", other)) if report is not None}
    assert use_of(binding, ("p1", "p2"), reports, NOW) is proven


async def test_without_a_proxy_or_a_beginning_nothing_can_be_said(mms: Any) -> None:
    binding = replace(await mms.lent("a"), unused_since=SINCE)
    assert use_of(binding, (), {}, NOW) is Use.UNKNOWN
    assert use_of(replace(binding, unused_since=None), ("p1",), {"p1": GOOD}, NOW) is Use.UNKNOWN


async def test_it_is_asked_again_ever_later(mms: Any) -> None:
    binding = replace(await mms.lent("a"), unused_since=SINCE)
    assert postponed_until(binding, SINCE + 80) == SINCE + 80 + 60
    assert postponed_until(binding, SINCE + 8000) == SINCE + 9000
