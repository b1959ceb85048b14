"""Lives of a store: after a restore to an older state the versions that followed it never were.

A reader that has some of them would miss what takes their place.  So the database is told from its copies: when a
program starts on a store that says it is another database, a new life begins.  Its versions begin beyond any that the
lost one can have reached (microseconds since 1970, and no store makes a million changes a second), every reader starts
again, and every proxy is behind until it has acknowledged anew.  Which primary bindings were used is unknown from then
on.  A stand-by of PostgreSQL may take over while programs run: there each writing transaction looks, and none adds a
version to another life.
"""

from typing import Final

from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mmserver.messages import BindingState
from mmserver.migration.bindings import PENDING_DUE_AT
from mmserver.migration.schema import acknowledgements, bindings, feed_version
from mmserver.migration.store_uses import forget_uses

# Whether a set was registered after the backup is unknown: none is given back as unused, each ends with its validity.
_KEEP_UNUSED: Final = (
    update(bindings)
    .where(bindings.c.unused_until.is_not(None), bindings.c.state == BindingState.ALLOCATED.value)
    .values(
        unused_until=None,
        unused_since=None,
        due_at=case((bindings.c.due_at == PENDING_DUE_AT, PENDING_DUE_AT), else_=bindings.c.valid_until),
    )
)

SQLITE_HERE: Final = "sqlite"
BACKUP: Final = "backup"
"""What our own copies of an SQLite file say; PostgreSQL's are told by themselves."""

# Another server, a standby that took over, or tables made anew by pg_restore: none has the same three.
POSTGRESQL_HERE: Final = """
SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/'
    || 'feed_version'::regclass::oid::text
FROM pg_control_system()
"""


async def is_own_life(connection: AsyncConnection) -> bool:
    """Say whether the store was in service as this very database before."""
    return await _life(connection) == await _here(connection)


async def begin_life(connection: AsyncConnection, now: float) -> bool:
    """Make the store this database's own; return whether that ended another life, so that readers start again."""
    here, life = await _here(connection), await _life(connection)
    if life == here:
        return False  # another instance was first
    version = (await connection.execute(select(feed_version.c.v))).scalar_one()
    first = max(version + 1, int(now * 1_000_000))
    await connection.execute(update(feed_version).values(v=first, horizon=first, life=here))
    await connection.execute(delete(acknowledgements))
    await forget_uses(connection)
    if life != "":
        await connection.execute(_KEEP_UNUSED)
    return life != ""  # a store that never was in service ends no life


async def _life(connection: AsyncConnection) -> str:
    life: str = (await connection.execute(select(feed_version.c.life))).scalar_one()
    return life


async def _here(connection: AsyncConnection) -> str:
    if connection.dialect.name == "sqlite":
        return SQLITE_HERE
    return str((await connection.exec_driver_sql(POSTGRESQL_HERE)).scalar_one())
