"""``mmserver migration upgrade``, ``downgrade``, ``backup``, ``restore-backup``: the store, without the server."""

from pathlib import Path
from typing import Annotated, Final

import typer

from mmserver.migration.cli_options import ConfigOption, ConfigsOption, fail, load
from mmserver.quick_imports import quick_imports

OWN_TOOLS: Final = "PostgreSQL has its own tools for that: pg_dump and pg_restore, see docs/operations.md"


def add_commands(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(upgrade)
    app.command()(downgrade)
    app.command()(backup)
    app.command()(restore_backup)


def upgrade(config: ConfigsOption) -> None:
    """Make the store, or bring its schema to this version's; run it before `run`, with the server stopped."""
    with quick_imports():
        from mmserver.migration.errors import MigrationError
        from mmserver.migration.schema.upgrade import upgrade as upgrade_store

    for loaded in [load(file) for file in config]:
        try:
            revision = upgrade_store(loaded.store.url)
        except (MigrationError, OSError) as exc:
            fail(1, f"store: {exc}")
        typer.echo(f"ok: schema {revision}")


def downgrade(
    to: Annotated[str, typer.Option("--to", help="The schema that the older version wants.", show_default=False)],
    config: ConfigOption,
) -> None:
    """Bring the schema back to an older version's, with the server stopped; what that one cannot hold is lost.

    Back up first.
    """
    from mmserver.migration.errors import MigrationError
    from mmserver.migration.schema.upgrade import downgrade as downgrade_store
    from mmserver.migration.store_backup import require_alone

    loaded = load(config)
    if not to.isdecimal():
        fail(2, f"--to: {to} is no schema; it is a number such as 0002")
    try:
        require_alone(loaded.store.url)
        revision = downgrade_store(loaded.store.url, to)
    except (MigrationError, OSError) as exc:
        fail(1, f"store: {exc}")
    typer.echo(f"ok: schema {revision}")


def backup(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.", show_default=False)],
    config: ConfigOption,
) -> None:
    """Write a whole copy of an SQLite store, while the server runs; keep it as secret as the store."""
    from mmserver.migration.errors import MigrationError
    from mmserver.migration.store_backup import NotSqlite, back_up

    loaded = load(config)
    try:
        octets = back_up(loaded.store.url, file)
    except NotSqlite as exc:
        fail(2, f"store: {exc}: {OWN_TOOLS}")
    except MigrationError as exc:
        fail(1, f"store: {exc}")
    typer.echo(f"ok: {file}: {octets} octets")


def restore_backup(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.", show_default=False)], config: ConfigOption
) -> None:
    """Put a backup in the place of an SQLite store, with the server stopped; then `upgrade` and `run`.

    When the server starts, every Diameter proxy reads the whole map again.
    """
    from mmserver.migration.errors import MigrationError
    from mmserver.migration.store_backup import NotSqlite, restore

    loaded = load(config)
    try:
        schema = restore(loaded.store.url, file)
    except NotSqlite as exc:
        fail(2, f"store: {exc}: {OWN_TOOLS}")
    except MigrationError as exc:
        fail(1, f"store: {exc}")
    typer.echo(f"ok: schema {schema}: run `mmserver migration upgrade` next")
