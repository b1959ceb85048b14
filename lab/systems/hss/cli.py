"""Command line of the HSS simulator: ``python -m lab.systems.hss run|check --config hss.toml``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lab.systems.hss.config import HssConfig, load_config
from lab.systems.hss.errors import ConfigError, HssError
from mmserver.quick_imports import quick_imports

app = typer.Typer(
    help="HSS simulator: the SIP database of a lab's IMS core, over Cx (TS 29.228).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="TOML file with [node], [hss] and [[users]].")
]


@app.command()
def run(config: ConfigOption) -> None:
    """Answer Cx requests until SIGTERM; one line on standard output says when and where."""
    # Only a run needs them: ``check`` and ``--help`` stay quick.
    with quick_imports():
        from diameter_proxy.logs import configure_logs
        from diameter_proxy.node.listener import ListenFailed
        from lab.systems.hss.program import serve

    settings = _loaded(config)

    configure_logs(program="hss", host=settings.node.origin_host)
    try:
        asyncio.run(serve(settings))
    except (HssError, ListenFailed, OSError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(1) from None


@app.command()
def check(config: ConfigOption) -> None:
    """Check a configuration file and exit: 0 it is good, 2 it is not."""
    settings = _loaded(config)
    sets = sum(len(user.impis) for user in settings.users)
    typer.echo(f"ok: {settings.node.origin_host}: {len(settings.users)} users, {sets} identity sets")


def _loaded(path: Path) -> HssConfig:
    try:
        return load_config(path)
    except ConfigError as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from None


def main() -> None:
    """Enter here."""
    app(prog_name="python -m lab.systems.hss")
