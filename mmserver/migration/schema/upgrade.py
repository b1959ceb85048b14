"""Brings a store to the schema of this program, or back to an older one; the only place that loads Alembic."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from mmserver.http.store_writers import serialise_writers
from mmserver.migration.errors import SchemaOutdated, StoreUnavailable
from mmserver.migration.schema import HEAD

HERE: Final = Path(__file__).parent
BUSY_TIMEOUT_S: Final = 5.0
LOCK_UPGRADE: Final = "SELECT pg_advisory_xact_lock(23280)"


def upgrade(url: str, revision: str = HEAD) -> str:
    """Migrate the schema of the store at ``url`` up to ``revision`` and return that.

    Raises:
        SchemaOutdated: a newer program has been here; nothing was changed.
        StoreUnavailable: the store cannot be opened or changed.
    """
    _migrate(url, lambda config: command.upgrade(config, revision))
    return revision


def downgrade(url: str, revision: str) -> str:
    """Migrate the schema of the store at ``url`` down to ``revision`` and return that; ``base`` drops every table.

    Raises:
        SchemaOutdated: there is no such revision below; nothing was changed.
        StoreUnavailable: the store cannot be opened or changed.
    """
    _migrate(url, lambda config: command.downgrade(config, revision))
    return revision


def _migrate(url: str, run: Callable[[Config], None]) -> None:
    address = sqlalchemy.make_url(url.replace("+aiosqlite", ""))
    if address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:"):
        file = Path(address.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # SQLite gives its other files the mode of this one
            file.touch(mode=0o600)
    engine = sqlalchemy.create_engine(address)
    if engine.dialect.name == "sqlite":
        serialise_writers(engine, BUSY_TIMEOUT_S)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(LOCK_UPGRADE)  # SQLite has one writer anyway
            config = alembic_config()
            config.attributes["connection"] = connection
            config.attributes["now"] = time.time()
            run(config)
    except CommandError as exc:
        raise SchemaOutdated(f"{exc}: this version knows schemas up to {HEAD}") from exc
    except SQLAlchemyError as exc:
        raise StoreUnavailable(f"{address.render_as_string()}: {getattr(exc, 'orig', None) or exc}") from exc
    finally:
        engine.dispose()


def alembic_config() -> Config:
    """Return Alembic's configuration: the scripts of this folder."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    return config
