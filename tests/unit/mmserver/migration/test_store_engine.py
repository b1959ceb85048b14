"""One writer at a time, readers beside it."""

from typing import Any

from mmserver.migration.store_engine import (
    READ_ONLY,
    create_store_engine,
    listening_arguments,
    read_options,
    renewals_engine,
)


async def test_commits_are_durable_and_keys_are_enforced(tmp_path: Any) -> None:
    engine = create_store_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", 2.5)
    async with engine.begin() as connection:
        found = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    await engine.dispose()
    assert found == ["wal", 2, 1, 2500]


async def test_postgresql_waits_a_bounded_time_for_everything() -> None:
    """Settings only: nothing is connected here; tests/integration has the server."""
    engine = create_store_engine("postgresql+psycopg://mms@db.invalid/mms", 2.5)
    assert read_options(engine) == {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    await engine.dispose()
    sqlite = create_store_engine("sqlite+aiosqlite:///never-opened.sqlite", 2.5)
    assert read_options(sqlite) == READ_ONLY
    await sqlite.dispose()


async def test_what_is_listened_to_is_the_same_of_several_hosts() -> None:
    """libpq would take the hosts of SQLAlchemy's URL for one name."""
    engine = create_store_engine("postgresql+psycopg://mms:p%40s@/mms?host=a.invalid:5432&host=b.invalid:5433", 2.5)
    arguments = listening_arguments(engine)
    await engine.dispose()
    assert (arguments["host"], arguments["port"]) == ("a.invalid,b.invalid", "5432,5433")
    assert (arguments["password"], arguments["target_session_attrs"]) == ("p@s", "read-write")
    assert "options" not in arguments  # a listener waits as long as nothing happens


async def test_a_renewal_does_not_wait_for_the_disk(tmp_path: Any) -> None:
    durable = create_store_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", 2.5)
    renewals = renewals_engine(durable, 2.5)
    async with renewals.begin() as connection:
        found = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")
        ]
    await renewals.dispose()
    await durable.dispose()
    assert found == ["wal", 1]
    elsewhere = create_store_engine("postgresql+psycopg://mms@db.invalid/mms", 2.5)
    assert renewals_engine(elsewhere, 2.5) is elsewhere
    await elsewhere.dispose()
