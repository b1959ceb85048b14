"""``--version`` of a program: what is installed here, for a report of a fault.  No protocol and no clause."""

from typing import Annotated

import typer


def add_version(app: typer.Typer, program: str) -> None:
    """Give ``app`` the option; ``program`` is the name that people type."""

    def show(
        version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
    ) -> None:
        if version:
            from importlib.metadata import version as version_of

            typer.echo(f"{program} {version_of('mc-migration')}")
            raise typer.Exit

    app.callback(invoke_without_command=True)(show)
