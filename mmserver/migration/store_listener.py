"""PostgreSQL's NOTIFY as a wake-up: another instance has committed something for the readers of the feed.

Nothing is learnt from it but that: a reader reads the store itself, and looks now and then without being woken, so a
notification that is lost costs a moment and no change.  A new connection may lead to another server than the last one.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import psycopg

CHANNEL: Final = "mc_migration_feed"
WAKE: Final = f"NOTIFY {CHANNEL}"
RETRY_S: Final = 1.0

log = structlog.get_logger()


async def listen_for_ever(
    arguments: Mapping[str, Any],
    on_connected: Callable[[], Awaitable[None]],
    on_change: Callable[[], None],
    retry_s: float = RETRY_S,
) -> None:
    """Call ``on_change`` at each notification, and ``on_connected`` after each new connection: one may be missed."""
    psycopg: Any = await asyncio.to_thread(importlib.import_module, "psycopg")
    is_lost = False
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(autocommit=True, **arguments)
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                if is_lost:
                    log.info("listener.resumed")
                is_lost = False
                await on_connected()
                await _follow(connection, on_change)
        except (psycopg.Error, OSError) as exc:
            if not is_lost:
                log.warning("listener.lost", reason=str(exc).strip())
            is_lost = True
        await asyncio.sleep(retry_s)


async def _follow(connection: "psycopg.AsyncConnection[Any]", on_change: Callable[[], None]) -> None:
    async for _notification in connection.notifies():
        on_change()
