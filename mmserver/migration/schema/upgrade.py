"""Brings a store to the schema of this program; the only place that loads Alembic."""

import time
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from mmserver.migration.errors import StoreUnavailable
from mmserver.migration.schema import HEAD
from mmserver.migration.store_engine import serialise_writers

HERE = Path(__file__).parent
BUSY_TIMEOUT_S = 5.0


def upgrade(url: str) -> str:
    """Migrate the schema of the store at ``url`` to ``HEAD`` and return that revision.

    Raises:
        StoreUnavailable: the store cannot be opened or changed.
    """
    synchronous = sqlalchemy.make_url(url.replace("+aiosqlite", ""))
    if synchronous.get_backend_name() == "sqlite" and synchronous.database not in (None, "", ":memory:"):
        Path(synchronous.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(synchronous)
    if engine.dialect.name == "sqlite":
        serialise_writers(engine, BUSY_TIMEOUT_S)
    try:
        with engine.begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            config.attributes["now"] = time.time()
            command.upgrade(config, HEAD)
    except SQLAlchemyError as exc:
        raise StoreUnavailable(f"{synchronous.render_as_string()}: {getattr(exc, 'orig', None) or exc}") from exc
    finally:
        engine.dispose()
    return HEAD


def alembic_config() -> Config:
    """Return Alembic's configuration: the scripts of this folder."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    return config
