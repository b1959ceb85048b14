"""``diameter-proxy``: its commands.  No logic here; each imports what it needs."""

import errno
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

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

UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a file on a full disk says.  Logs and ``feed.state`` see to it themselves: at the top it is standard output."""


class LogLevel(StrEnum):
    """What is logged: this and what is worse."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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


@app.command(short_help="Run the proxy until SIGTERM.")
def run(
    config: ConfigFile,
    log_level: Annotated[LogLevel, typer.Option("--log-level", help="What is logged: this and worse.")] = LogLevel.INFO,
) -> None:
    """Run the proxy until SIGTERM; prints {"event":"listening",...}, then {"event":"ready",...} once it can serve."""
    with quick_imports():
        import asyncio

        from diameter_proxy.awake import Wakefulness, WakefulSelector
        from diameter_proxy.config import ConfigError, load_config
        from diameter_proxy.logs import configure_logs
        from diameter_proxy.server import StartFailed, serve

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
    configure_logs(log_level.value, program="diameter-proxy", node=loaded.node.origin_host)
    wakefulness = Wakefulness()
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(WakefulSelector(wakefulness))) as runner:
            runner.run(serve(loaded, config, wakefulness))
    except StartFailed as exc:
        _fail(str(exc), 1)


@app.command(short_help="Check a configuration file, its certificates too.")
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
    for neighbour in loaded.neighbours().by_host.values():
        if neighbour.limits:
            typer.echo(f"limits of {neighbour.host}: {', '.join(neighbour.limits)}")


@app.command()
def decode(
    octets: Annotated[str, typer.Argument(help="The message in hex, blanks and colons allowed; - reads them.")] = "-",
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show all: CK, IK, XRES, what is not known.")
    ] = False,
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


@app.command(short_help="Show the running proxy's peers and identity map.")
def peers(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show how the running proxy's peers and its identity map stand (needs [admin] socket)."""
    import json

    rows, size, feed = _ask(config, "peers", "map", "feed")
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


@app.command(short_help="Say where a request goes, and why.")
def explain(
    message: Annotated[
        str, typer.Argument(help="A Diameter request in hex (- reads it); or cscf, hss, mms, partner, agent.")
    ],
    command: Annotated[str, typer.Argument(help="With a class of peers: UAR, SAR, LIR, MAR, RTR or PPR.")] = "",
    owner: Annotated[str, typer.Argument(help="And: own, lent, unbound, expired, disabled, foreign or mixed.")] = "",
    config: Annotated[Path | None, typer.Option("--config", help="proxy.toml of the running proxy.")] = None,
    peer: Annotated[str, typer.Option("--peer", help="The peer that the message comes from.")] = "",
) -> None:
    """Say where a request goes: what a running proxy would do with a message, or a row of the routing table."""
    if not command:
        _explain_message(message, config, peer)
        return
    from diameter_proxy.ownership import Owner
    from diameter_proxy.routing import NAMES, Refusal, Source, decide

    codes = {name: code for code, name in NAMES.items()}
    _expect("a class of peers", message.lower(), [source.value for source in Source])
    _expect("a command", command.upper(), list(codes))
    _expect("an owner", owner.lower(), [one.value for one in Owner])
    source, whose = Source(message.lower()), Owner(owner.lower())
    # an agent's requests are relayed whatever they name: they stand in the table as our own
    decision = decide(source, codes[command.upper()], Owner.OWN if source is Source.AGENT else whose)
    if not isinstance(decision, Refusal):
        typer.echo(decision.value)
        return
    code = decision.result_code if decision.result_code is not None else f"experimental {decision.experimental}"
    typer.echo(f"refused: {code} ({decision.reason}, step {decision.step})")


def _expect(what: str, found: str, wanted: list[str]) -> None:
    if found not in wanted:
        _fail(f"{f'{found} is not {what}' if found else f'{what} is missing'}: {', '.join(wanted)}", 2)


def _explain_message(message: str, config: Path | None, peer: str) -> None:
    import sys

    from diameter_proxy.admin import AdminError, ask

    if config is None or not peer:
        _fail(
            "a message wants --config and --peer; a row of the table a class, a command and an owner: cscf MAR lent", 2
        )
    text = sys.stdin.read() if message == "-" else message
    octets = "".join(text.replace(":", " ").split())
    try:
        told = ask(_admin_socket(config), "explain", peer=peer, message=octets)
    except AdminError as exc:
        _fail(str(exc), 1)
    for name, value in told.items():
        if value is not None:
            typer.echo(f"{name + ':':10} {_in_words(value)}")


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{avp} {change}" for avp, change in value.items())
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


@app.command(short_help="Have the running proxy read its file again.")
def reload(config: ConfigFile) -> None:
    """Have the running proxy read its file again; open peers stay open, and a file of no use changes nothing."""
    _ask(config, "reload")
    typer.echo("ok: reloaded")


@app.command(short_help="Show the running proxy's routing table.")
def routes(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the routing table of the running proxy, with the open peers that serve each row."""
    import json

    (rows,) = _ask(config, "routes")
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        what = f"refused {row['refused']}" if "refused" in row else row["decision"]
        who = "" if "refused" in row else f"  -> {', '.join(row['peers']) or 'no peer open'}"
        typer.echo(f"{row['source']:8} {row['command']:4} {row['owner']:9} {what}{who}")


@app.command(short_help="Show what waits for an answer in the running proxy.")
def pending(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the requests of the running proxy that wait for an answer, the oldest first (1,000 at most)."""
    import json

    (rows,) = _ask(config, "pending")
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("nothing waits for an answer", err=True)
    for row in rows:
        fields = (row["command"], row["peer"], row["route"], f"last {row.get('last', '-')}", row["end_to_end"])
        typer.echo(f"{row['waited_s']:8.3f} s  " + "  ".join(fields))


@app.command(short_help="Follow an identity through the running proxy.")
def trace(
    identity: Annotated[str, typer.Argument(help="An IMPI or IMPU.")],
    config: ConfigFile,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=300, help="How long to follow it.")] = 30.0,
) -> None:
    """Follow an identity through the running proxy: what came, where it went, what came back; a line of JSON each."""
    import json

    from diameter_proxy.admin import AdminError, follow

    try:
        for event in follow(_admin_socket(config), identity, seconds):
            typer.echo(json.dumps(event))
    except AdminError as exc:
        _fail(str(exc), 1)


def _admin_socket(config: Path) -> Path:
    from diameter_proxy.config import ConfigError, load_config

    try:
        loaded = load_config(config)
    except ConfigError as exc:
        _fail(str(exc), 2)
    if loaded.admin is None:
        mend = "the running proxy is asked there; name a path, then send it SIGHUP"
        _fail(f"{config.name}: admin.socket is missing: {mend}", 2)
    return loaded.admin.socket


def _ask(config: Path, *commands: str) -> "list[Any]":
    from diameter_proxy.admin import AdminError, ask

    path = _admin_socket(config)
    try:
        return [ask(path, command) for command in commands]
    except AdminError as exc:
        _fail(str(exc), 1)


def _check_certificates(config: "Config") -> None:
    """Load what ``run`` would load: certificates, private key, authorities."""
    if config.tls is None:
        return
    from diameter_proxy.bindings_feed import feed_context
    from diameter_proxy.config import ConfigError
    from diameter_proxy.feed_page import FeedError
    from diameter_proxy.node.certificate import TlsMisconfigured
    from diameter_proxy.node.tls import TlsIdentities

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
    """Run the command line; exit 1 where standard output cannot be written."""
    try:
        app()
    except OSError as exc:
        if exc.errno not in UNWRITABLE:
            raise
        _drop_stdout()
        typer.echo(f"error: standard output: {exc.strerror}", err=True)
        raise SystemExit(1) from None


def _drop_stdout() -> None:
    """Let what is still in a buffer go nowhere, or the exit fails at it once more."""
    import os
    import sys

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
