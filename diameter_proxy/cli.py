"""``diameter-proxy``: run, check, decode, peers.  No logic here; each command imports what it needs."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Diameter proxy for MC migration: maps lent identities on Cx (TS 23.280), relays everything else (RFC 6733).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="proxy.toml", exists=False, show_default=False)]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"diameter-proxy {version_of('mc-migration')}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigFile,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error")] = "info",
) -> None:
    """Run the proxy until SIGTERM; prints one line {"event":"ready",...} once it accepts connections."""
    import asyncio

    from diameter_proxy.config import ConfigError, load_config

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
    from diameter_proxy.logs import configure_logs
    from diameter_proxy.server import StartFailed, serve

    configure_logs(log_level, program="diameter-proxy", node=loaded.node.origin_host)
    try:
        asyncio.run(serve(loaded))
    except StartFailed as exc:
        _fail(str(exc), 1)


@app.command()
def check(config: ConfigFile) -> None:
    """Check a configuration file and say what it makes of the peers; exit 2 when it cannot be used."""
    from diameter_proxy.config import ConfigError, load_config

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
    groups = ", ".join(f"{peer.host} ({peer.group})" for peer in loaded.peers)
    kind = "migration proxy" if loaded.feed else "plain relay"
    typer.echo(f"ok: {loaded.node.origin_host}, {kind}; peers: {groups}")


def _fail(reason: str, code: int) -> NoReturn:
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
