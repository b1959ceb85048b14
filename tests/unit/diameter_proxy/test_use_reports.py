"""First uses go to the MMS once; what it does not take is told again, and what was dropped is never hidden."""

import asyncio

import pytest
import structlog

from diameter_proxy import use_reports
from diameter_proxy.feed_page import FeedError
from diameter_proxy.use_reports import UseReports


class Mms:
    """Takes reports, or does not."""

    def __init__(self):
        self.taken, self.is_down, self.now, self.asked = [], False, 100.0, asyncio.Queue()

    async def send(self, method, path, body):
        self.asked.put_nowait(body)
        if self.is_down:
            raise FeedError("status 503")
        assert (method, path, body["proxy"]) == ("PUT", "/uses", "proxy1.mc1.lab")
        self.taken.append((body["bindings"], body["complete_for_s"]))

    def reports(self):
        return UseReports("proxy1.mc1.lab", self.send, lambda: self.now)


@pytest.fixture
def mms():
    return Mms()


async def test_a_use_is_told_once_and_that_there_was_none_too(mms):
    reports = mms.reports()
    reports.note("b1")
    reports.note("b1")
    mms.now += 5
    await reports.report()
    reports.note("b1")
    mms.now += 5
    await reports.report()
    assert mms.taken == [(["b1"], 5.0), ([], 10.0)]


async def test_what_was_not_taken_is_told_again(mms):
    reports = mms.reports()
    reports.note("b1")
    mms.is_down = True
    with pytest.raises(FeedError):
        await reports.report()
    mms.is_down = False
    await reports.report()
    assert mms.taken == [(["b1"], 0.0)]


async def test_more_than_one_report_holds_is_not_called_complete(mms, monkeypatch):
    monkeypatch.setattr(use_reports, "BATCH_MAX", 2)
    reports = mms.reports()
    for binding in ("b1", "b2", "b3"):
        reports.note(binding)
    await reports.report()
    await reports.report()
    assert mms.taken == [(["b1", "b2"], None), (["b3"], 0.0)]


async def test_a_dropped_use_ends_what_we_say_is_complete_and_is_told_when_it_comes_again(mms, monkeypatch):
    monkeypatch.setattr(use_reports, "WAITING_MAX", 1)
    reports = mms.reports()
    reports.note("b1")
    mms.now += 50
    reports.note("b2")
    mms.now += 7
    await reports.report()
    reports.note("b2")
    await reports.report()
    assert mms.taken == [(["b1"], 7.0), (["b2"], 7.0)]


async def test_what_is_remembered_is_bounded_and_forgetting_loses_nothing(mms, monkeypatch):
    monkeypatch.setattr(use_reports, "TOLD_MAX", 2)
    reports = mms.reports()
    for binding in ("b1", "b2", "b3", "b2", "b3"):
        reports.note(binding)
    assert len(reports._told) <= 3
    await reports.report()
    assert mms.taken == [(["b1", "b2", "b3"], 0.0)]


async def test_an_exchanged_feed_loses_no_use_and_tells_none_twice(mms):
    before = mms.reports()
    before.note("b1")
    await before.report()
    before.note("b2")
    mms.now += 9
    after = mms.reports()
    after.take_over(before)
    after.note("b1")
    after.note("b2")
    await after.report()
    assert mms.taken == [(["b1"], 0.0), (["b2"], 9.0)]


async def test_it_goes_on_by_itself_when_the_mms_is_back(mms, monkeypatch):
    monkeypatch.setattr(use_reports, "RETRY_S", 0.01)
    monkeypatch.setattr(use_reports, "PAUSE_S", 0.0)
    reports = mms.reports()
    mms.is_down = True
    with structlog.testing.capture_logs() as events:
        task = asyncio.create_task(reports.run())
        reports.note("b1")
        async with asyncio.timeout(30):
            for _ in range(3):
                await mms.asked.get()
            mms.is_down = False
            await mms.asked.get()
            reports.note("b2")
            await mms.asked.get()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [bindings for bindings, _ in mms.taken] == [["b1"], ["b2"]]
    assert [event["event"] for event in events] == ["uses.refused", "uses.resumed"]
