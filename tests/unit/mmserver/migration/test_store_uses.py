"""The last report of each proxy, in the store."""

from collections.abc import Callable
from typing import Any

from mmserver.migration.store_uses import NEVER, forget_uses
from mmserver.migration.uses import UseReport


async def test_the_last_report_of_each_proxy_is_kept(mms: Any) -> None:
    async with mms.store.writing() as transaction:
        await transaction.uses.record("p1", UseReport(1.0, 2.0))
        await transaction.uses.record("p2", UseReport(None, 3.0))
        await transaction.uses.record("p1", UseReport(1.5, 4.0))
    async with mms.store.reading() as transaction:
        assert await transaction.uses.all() == {"p1": UseReport(1.5, 4.0), "p2": UseReport(None, 3.0)}


async def test_forgetting_concerns_primary_bindings_that_wait_alone(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(lifetime__unused_s=100)
    waits, partner, used = await mms.lent("a"), await mms.allocated("b"), await mms.lent("c")
    async with mms.store.writing() as transaction:
        await transaction._connection.exec_driver_sql(
            f"UPDATE bindings SET unused_since = NULL, unused_until = NULL WHERE handle = '{used.handle}'"
        )
        await forget_uses(transaction._connection)
    found = [(await mms.server.get(binding.handle)).unused_since for binding in (waits, partner, used)]
    assert found == [NEVER, mms.now, None]
