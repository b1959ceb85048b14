"""Command line of the MC service server."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lab.systems.mcservice.config import ConfigError, load_config

app = typer.Typer(
    help="MC service server of a lab: service authorisation by third-party REGISTER (TS 24.379 clause 7).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file.")]


@app.command()
def run(config: ConfigFile) -> None:
    """Serve until SIGTERM or SIGINT; one line on standard output says when it accepts."""
    from lab.systems.mcservice import server

    try:
        server.run(load_config(config))
    except ConfigError as exc:
        _fail(exc, 2)
    except server.ListenFailed as exc:
        _fail(exc, 1)


@app.command()
def check(config: ConfigFile) -> None:
    """Check a configuration file, and exit."""
    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(exc, 2)
    typer.echo(f"ok: {loaded.name}, tokens of {loaded.issuer}, {len(loaded.core)} hosts of the core")


def _fail(exc: Exception, code: int) -> NoReturn:
    typer.echo(f"error: {exc}", err=True)
    raise typer.Exit(code) from None


def main() -> None:
    """Run the command line."""
    app()
