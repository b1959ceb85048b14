"""Brings a store to the schema of this program; the only place that loads Alembic."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from mmserver.configuration.errors import StoreUnavailable
from mmserver.configuration.schema import HEAD
from mmserver.http.store_writers import serialise_writers

HERE = Path(__file__).parent
BUSY_TIMEOUT_S = 5.0


def upgrade(url: str, revision: str = HEAD) -> str:
    """Bring the schema of the store at ``url`` to ``revision`` (``base``: none) and return that revision.

    Raises:
        StoreUnavailable: the store cannot be opened or changed.
    """
    synchronous = sqlalchemy.make_url(url.replace("+aiosqlite", ""))
    if synchronous.get_backend_name() == "sqlite" and synchronous.database not in (None, "", ":memory:"):
        file = Path(synchronous.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # SQLite gives its other files the mode of this one
            file.touch(mode=0o600)
    engine = sqlalchemy.create_engine(synchronous)
    if engine.dialect.name == "sqlite":
        serialise_writers(engine, BUSY_TIMEOUT_S)
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            (command.downgrade if revision == "base" else command.upgrade)(config, revision)
    except SQLAlchemyError as exc:
        raise StoreUnavailable(f"{synchronous.render_as_string()}: {getattr(exc, 'orig', None) or exc}") from exc
    finally:
        engine.dispose()
    return revision
