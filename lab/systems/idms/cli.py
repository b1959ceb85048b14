"""Command line of the identity management server."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lab.systems.idms.config import ConfigError, load_config
from mmserver.quick_imports import quick_imports

app = typer.Typer(
    help="Identity management server of a lab's MC system: a small OpenID provider (TS 33.180 Annex B).\n\n"
    "Grants: password, authorization code with PKCE, refresh, token exchange (RFC 8693) for a partner's server "
    "and, at the partner, JWT bearer (RFC 7523).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file, for example etc/idms/idms.toml.")]


@app.command()
def run(config: ConfigFile) -> None:
    """Serve until SIGTERM or SIGINT; one line on standard output says when it accepts."""
    with quick_imports():
        from lab.systems.idms import server

    try:
        server.run(load_config(config))
    except ConfigError as exc:
        _fail(exc, 2)
    except server.ListenFailed as exc:
        _fail(exc, 1)


@app.command()
def check(config: ConfigFile) -> None:
    """Check a configuration file and the files that it names, and exit."""
    from lab.systems.idms import server

    try:
        loaded = load_config(config)
        server.load_keys(loaded)
        server.server_context(loaded.tls)
    except ConfigError as exc:
        _fail(exc, 2)
    typer.echo(f"ok: {loaded.system.issuer}, {len(loaded.users)} users, {len(loaded.partners)} partners")


def _fail(exc: Exception, code: int) -> NoReturn:
    typer.echo(f"error: {exc}", err=True)
    raise typer.Exit(code) from None


def main() -> None:
    """Run the command line."""
    app()
