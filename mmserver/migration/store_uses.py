"""What the proxies reported of first uses of primary migration sets: the last word of each of them."""

from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.messages import Role
from mmserver.migration.schema import bindings, use_reports
from mmserver.migration.uses import UseReport

NEVER: Final = 0.0


class UseTable:
    """Reads and writes use reports inside one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, proxy: str, report: UseReport) -> None:
        """Remember the last report of a proxy."""
        values = {"since": report.since, "at": report.at}
        done = await self._connection.execute(update(use_reports).where(use_reports.c.proxy == proxy).values(values))
        if done.rowcount == 0:  # there is one writer at a time: nobody inserts it in between
            await self._connection.execute(insert(use_reports).values(proxy=proxy, **values))

    async def all(self) -> dict[str, UseReport]:
        """Return the last report of each proxy."""
        rows = await self._connection.execute(select(use_reports.c.proxy, use_reports.c.since, use_reports.c.at))
        return {row.proxy: UseReport(row.since, row.at) for row in rows}


async def forget_uses(connection: AsyncConnection) -> None:
    """Hold the use of every primary binding for unknown: in an older copy of a store later reports are lost."""
    waits = bindings.c.unused_since.is_not(None) & (bindings.c.role == Role.PRIMARY.value)
    await connection.execute(update(bindings).where(waits).values(unused_since=NEVER))
