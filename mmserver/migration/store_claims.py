"""Which instance sends the RTR of a binding: the one that claimed it, until its claim lapses.

An instance that is killed leaves its claim behind.  Whoever takes it over once it has lapsed sends the same request
again, marked as a possible retransmission: the End-to-End Identifier is that of the claim (RFC 6733 §3).  Time is the
database's own, so that instances whose clocks differ agree on it; on SQLite all of them are on one host.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.migration.schema import deregistration_claims as claims

POSTGRESQL_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send a binding's RTR, with what makes two of them one request."""

    instance: str
    end_to_end: int
    is_taken_over: bool = False


class ClaimTable:
    """Claims inside one writing transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, handle: str, version: int, wanted: Claim, lease_s: float, now: float) -> Claim | None:
        """Return the claim if it is ours now; None while another instance has it.

        ``version`` is the binding's: what was claimed for an earlier withdrawal of it is another request.
        """
        if self._connection.dialect.name == "postgresql":
            now = float((await self._connection.exec_driver_sql(POSTGRESQL_NOW)).scalar_one())
        query = select(claims).where(claims.c.handle == handle)
        found = (await self._connection.execute(query)).one_or_none()
        if found is not None and found.instance != wanted.instance and now < found.until:
            return None
        if found is not None and found.version == version:
            wanted = Claim(wanted.instance, found.end_to_end, is_taken_over=True)
        await self.drop(handle)
        values = {"handle": handle, "version": version, "until": now + lease_s}
        await self._connection.execute(
            insert(claims).values(instance=wanted.instance, end_to_end=wanted.end_to_end, **values)
        )
        return wanted

    async def drop(self, handle: str) -> None:
        """Forget the claim: its RTR has an outcome."""
        await self._connection.execute(delete(claims).where(claims.c.handle == handle))
