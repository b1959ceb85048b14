"""``mmserver migration upgrade``, ``downgrade``: the schema of the store, with the server stopped."""

from typing import Annotated

import typer

from mmserver.migration.cli_options import ConfigOption, ConfigsOption, fail, load
from mmserver.quick_imports import quick_imports


def add_commands(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(upgrade)
    app.command()(downgrade)


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

    loaded = load(config)
    if not to.isdecimal():
        fail(2, f"--to: {to} is no schema; it is a number such as 0002")
    try:
        revision = downgrade_store(loaded.store.url, to)
    except (MigrationError, OSError) as exc:
        fail(1, f"store: {exc}")
    typer.echo(f"ok: schema {revision}")
