"""``diameter-proxy``: run, check, decode, peers.  No logic here; each command imports what it needs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mmserver.quick_imports import quick_imports

if TYPE_CHECKING:
    from diameter_proxy.config import Config

app = typer.Typer(
    help="Diameter proxy for MC migration: maps lent identities on Cx (TS 23.280), relays everything else (RFC 6733).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="proxy.toml", exists=False, show_default=False)]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and how the hot path runs, and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        from diameter_proxy.hot_path import KIND

        typer.echo(f"diameter-proxy {version_of('mc-migration')}, hot path: {KIND}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigFile,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error")] = "info",
) -> None:
    """Run the proxy until SIGTERM; prints one line {"event":"ready",...} once it accepts connections."""
    with quick_imports():
        import asyncio

        from diameter_proxy.config import ConfigError, load_config
        from diameter_proxy.logs import configure_logs
        from diameter_proxy.server import StartFailed, serve

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
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
        _check_certificates(loaded)
    except ConfigError as exc:
        _fail(str(exc), 2)
    for line in loaded.warnings():
        typer.echo(f"warning: {line}", err=True)
    groups = ", ".join(f"{peer.host} ({peer.group})" for peer in loaded.peers)
    kind = "migration proxy" if loaded.feed else "plain relay"
    typer.echo(f"ok: {loaded.node.origin_host}, {kind}; peers: {groups}")


@app.command()
def decode(
    octets: Annotated[str, typer.Argument(help="The message in hex, blanks and colons allowed; - reads them.")] = "-",
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show CK, IK and XRES too.")] = False,
) -> None:
    """Print a Diameter message in words: header, AVPs, groups."""
    import sys

    from diameter_proxy.decoding import describe
    from diameter_proxy.diameter.errors import DiameterError

    text = sys.stdin.read() if octets == "-" else octets
    try:
        for line in describe(bytes.fromhex("".join(text.replace(":", " ").split())), show_secrets=show_secrets):
            typer.echo(line)
    except ValueError:
        _fail("wanted hex digits", 2)
    except DiameterError as exc:
        _fail(str(exc), 1)


@app.command()
def peers(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show how the running proxy's peers and its identity map stand (needs [admin] socket)."""
    import json

    from diameter_proxy.admin import AdminError, ask
    from diameter_proxy.config import ConfigError, load_config

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
    if loaded.admin is None:
        _fail(f"{config.name}: admin.socket is missing", 2)
    try:
        rows, size, feed = (ask(loaded.admin.socket, command) for command in ("peers", "map", "feed"))
    except AdminError as exc:
        _fail(str(exc), 1)
    if as_json:
        typer.echo(json.dumps({"peers": rows, "map": size, "feed": feed}))
        return
    for row in rows:
        state = f"{row['state']}/{row['watchdog']}"
        traffic = f"received {row['messages_received']}, sent {row['messages_sent']}"
        typer.echo(f"{row['host']:32} {row['group']:8} {state:20} {traffic} {row['reason']}".rstrip())
    if feed:
        state = "failing" if feed["is_failing"] else "followed"
        typer.echo(f"feed: {feed['mms']} {state}, acknowledged {feed['acknowledged']}, failures {feed['failures']}")
    typer.echo("identity map: " + ", ".join(f"{what} {count}" for what, count in size.items()))


@app.command()
def explain(
    source: Annotated[str, typer.Argument(help="cscf, hss, mms or partner")],
    command: Annotated[str, typer.Argument(help="UAR, SAR, LIR, MAR, RTR or PPR")],
    owner: Annotated[str, typer.Argument(help="own, lent, unbound, expired, disabled, foreign or mixed")],
) -> None:
    """Say where a request goes: the row of the routing table for a source, a command and an owner."""
    from diameter_proxy.ownership import Owner
    from diameter_proxy.routing import NAMES, Refusal, Source, decide

    codes = {name: code for code, name in NAMES.items()}
    try:
        decision = decide(Source(source.lower()), codes[command.upper()], Owner(owner.lower()))
    except (ValueError, KeyError) as exc:
        _fail(f"no such source, command or owner: {exc}", 2)
    if not isinstance(decision, Refusal):
        typer.echo(decision.value)
        return
    code = decision.result_code if decision.result_code is not None else f"experimental {decision.experimental}"
    typer.echo(f"refused: {code} ({decision.reason}, step {decision.step})")


def _check_certificates(config: "Config") -> None:
    """Load what ``run`` would load: certificates, private key, authorities."""
    if config.tls is None:
        return
    from diameter_proxy.bindings_feed import feed_context
    from diameter_proxy.config import ConfigError
    from diameter_proxy.feed_page import FeedError
    from diameter_proxy.node.tls import TlsIdentities, TlsMisconfigured

    try:
        TlsIdentities(config.node_config())
        if config.feed is not None:
            feed_context(config, config.feed)
    except (TlsMisconfigured, FeedError) as exc:
        raise ConfigError(f"tls: {exc}") from exc


def _fail(reason: str, code: int) -> NoReturn:
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
