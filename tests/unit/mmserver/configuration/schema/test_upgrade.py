"""The schema goes up and down, and is what the program expects."""

from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mmserver.configuration.errors import StoreUnavailable
from mmserver.configuration.schema import HEAD, VERSION_TABLE, metadata
from mmserver.configuration.schema.upgrade import HERE, upgrade


def tables(path: Path) -> set[str]:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    found = set(sqlalchemy.inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_up_down_and_up_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cms.sqlite"
    url = f"sqlite+aiosqlite:///{path}"
    assert upgrade(url) == upgrade(url) == HEAD
    assert tables(path) == {*metadata.tables, VERSION_TABLE}
    upgrade(url, "base")
    assert tables(path) == {VERSION_TABLE}
    upgrade(url)
    assert tables(path) == {*metadata.tables, VERSION_TABLE}


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    upgrade(f"sqlite+aiosqlite:///{tmp_path}/cms.sqlite")
    assert (tmp_path / "cms.sqlite").stat().st_mode & 0o077 == 0


def test_the_scripts_make_what_the_tables_say(tmp_path: Path) -> None:
    upgrade(f"sqlite+aiosqlite:///{tmp_path}/cms.sqlite")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/cms.sqlite")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert ScriptDirectory(str(HERE)).get_current_head() == HEAD


def test_a_store_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "cms.sqlite").write_text("this is no database, and long enough to be seen as none" * 20)
    with pytest.raises(StoreUnavailable, match=r"cms\.sqlite"):
        upgrade(f"sqlite+aiosqlite:///{tmp_path}/cms.sqlite")
