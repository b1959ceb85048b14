"""The audit trail is asked by binding, user, partner and time, and nothing takes a row back."""

from typing import Any

import pytest
from sqlalchemy import text

from mmserver.http.trace import TraceContext
from mmserver.migration.errors import IdentityTaken
from mmserver.migration.store_audit import AuditQuery, Change

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def found(mms: Any, **wanted: Any) -> list[tuple[str, str]]:
    async with mms.store.reading() as transaction:
        rows = await transaction.audits.find(AuditQuery(**wanted))
    return [(row["handle"], row["event"]) for row in rows]


async def test_it_is_asked_by_user_partner_binding_and_time(mms: Any) -> None:
    first = await mms.primary("a")
    mms.now += 10
    second = await mms.primary("b", partner_mc_system="mc3")
    assert await found(mms, mc_service_id="sip:a@mc2.lab") == [(first.handle, "binding.held")]
    assert await found(mms, other_mc_system="mc3") == [(second.handle, "binding.held")]
    assert await found(mms, handle=first.handle) == [(first.handle, "binding.held")]
    assert await found(mms, since=mms.now) == [(second.handle, "binding.held")]
    assert await found(mms, until=mms.now) == [(first.handle, "binding.held")]
    assert await found(mms, mc_service_id="sip:a@mc2.lab", other_mc_system="mc3") == []


async def test_it_is_read_page_by_page(mms: Any) -> None:
    for user in "abc":
        await mms.primary(user)
    async with mms.store.reading() as transaction:
        page = await transaction.audits.find(AuditQuery(limit=2))
        rest = await transaction.audits.find(AuditQuery(after=page[-1]["id"]))
    assert (len(page), len(rest)) == (2, 1)


async def test_it_knows_a_user_whose_binding_is_gone(mms: Any) -> None:
    binding = await mms.partner("a")
    await mms.withdrawal.release(binding.handle, "step 7 failed", "cms.mc2.lab")
    events = [event for _handle, event in await found(mms, mc_service_id="sip:a@mc1.lab")]
    assert events == ["binding.held", "binding.released"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    ],
)
async def test_no_row_is_changed_or_deleted(mms: Any, statement: str) -> None:
    await mms.partner()
    before = await found(mms)
    with pytest.raises(IdentityTaken, match="only grows"):
        async with mms.store.writing() as transaction:
            await transaction._connection.execute(text(statement))
    assert await found(mms) == before


async def test_the_trace_of_the_request_is_written_down(mms: Any) -> None:
    async def app(*_: Any) -> None:
        await mms.partner()

    scope = {"type": "http", "headers": [(b"traceparent", TRACE.encode())]}
    await TraceContext(app)(scope, None, None)  # type: ignore[arg-type]
    async with mms.store.reading() as transaction:
        assert [row["traceparent"] for row in await transaction.audits.find(AuditQuery())] == [TRACE]


def test_outside_of_a_request_there_is_no_trace() -> None:
    assert Change("event", "sweep", 0.0).traceparent == ""


async def test_the_last_who_did_something_is_known(mms: Any) -> None:
    binding = await mms.allocated()
    async with mms.store.reading() as transaction:
        assert await transaction.audits.last_actor(binding.handle, "binding.disabled") is None
    for actor in ("cms.mc2.lab", "admin.mc2.lab"):
        await mms.withdrawal.disable(binding.handle, "", actor)
        await mms.withdrawal.enable(binding.handle, "", "somebody else")
    async with mms.store.reading() as transaction:
        assert await transaction.audits.last_actor(binding.handle, "binding.disabled") == "admin.mc2.lab"
