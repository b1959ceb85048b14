"""Command line of the configuration management server: ``mmserver configuration ...``."""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmserver.quick_imports import quick_imports

app = typer.Typer(
    help="Configuration management server (TS 23.280): tells a UE how to reach a partner MC system (10.1.X.1).\n\n"
    "It lets UEs in by an access token (CSC-4), asks the migration management server of its own MC system for SIP "
    "identities (CSC-X) and the partner's configuration management server for access (CSC-17).  It keeps no store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file, for example /etc/mmserver/cms.toml.")]


@app.command()
def run(config: ConfigFile) -> None:
    """Serve until SIGTERM or SIGINT; one line on standard output says when it accepts."""
    with quick_imports():
        from mmserver.configuration import server
        from mmserver.configuration.config import load_config
        from mmserver.http.server import ListenFailed
        from mmserver.http.settings import ConfigError
        from mmserver.http.tls import TlsError

    try:
        loaded = load_config(config)
        asyncio.run(server.run(loaded))
    except (ConfigError, TlsError) as exc:
        _fail(exc, 2)
    except ListenFailed as exc:
        _fail(exc, 1)


@app.command()
def check(config: ConfigFile) -> None:
    """Check a configuration file and the files that it names, and exit."""
    from mmserver.configuration import server
    from mmserver.configuration.config import load_config
    from mmserver.http.settings import ConfigError
    from mmserver.http.tls import TlsError

    try:
        loaded = load_config(config)
        server.check(loaded)
    except (ConfigError, TlsError) as exc:
        _fail(exc, 2)
    typer.echo(f"ok: {loaded.system.name}, {len(loaded.users)} users, {len(loaded.partners)} partners")


def _fail(exc: Exception, code: int) -> NoReturn:
    typer.echo(f"error: {exc}", err=True)
    raise typer.Exit(code) from None
