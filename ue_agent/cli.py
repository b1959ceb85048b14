"""Command line of the UE agent: ``isim``, ``register``, ``migrate``, ``return-home``, ``run``, ``check``.

Standard output is the result, as JSON; standard error is for people.  Exit 0 done, 1 failed, 2 misused.
It holds no procedure: ``agent`` has them, ``journeys`` puts them one after another for people.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mmserver.version_option import add_version
from ue_agent.config import UeConfig, load_config
from ue_agent.errors import ConfigError, StoreError, UeError

app = typer.Typer(
    name="ue-agent",
    help="MC service UE: migrates a user to a partner MC system with the ISIM from home (TS 23.280, 10.1.X.1, 10.6.2).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
add_version(app, "ue-agent")

ConfigFile = Annotated[Path, typer.Option("--config", help="The UE's TOML file.", metavar="FILE")]
System = Annotated[str | None, typer.Option("--system", help="MC system; the primary one when not given.")]
Partner = Annotated[str | None, typer.Option("--partner", help="A particular partner MC system; else by location.")]
Expires = Annotated[int | None, typer.Option("--expires", min=1, max=604800, help="Seconds to ask for.")]
Stay = Annotated[bool, typer.Option("--stay", help="Stay registered and receive, until Ctrl-C.")]
Coordinates = Annotated[str | None, typer.Option("--at", help="Where the UE is.", metavar="LATITUDE,LONGITUDE")]
Flow = Annotated[str, typer.Option("--flow", help="How to authenticate: password or code (with PKCE).")]


@app.command()
def check(config_file: ConfigFile) -> None:
    """Check a configuration file and exit."""
    config = _load(config_file)
    typer.echo(f"ok: {config.ue.name}: {config.isim.private_user_identity} of {config.primary.system}")


@app.command()
def run(config_file: ConfigFile) -> None:
    """Take commands as JSON lines on standard input and answer with JSON events (docs/ue-agent.md)."""
    from ue_agent.control import emit_to_stdout, serve

    _with_agent(config_file, emit_to_stdout, lambda agent, _: serve(agent, emit_to_stdout, 0))


@app.command()
def isim(
    config_file: ConfigFile,
    rand: Annotated[str | None, typer.Option("--rand", help="RAND of a trial, 32 hexadecimal digits.")] = None,
    autn: Annotated[str | None, typer.Option("--autn", help="AUTN of a trial, 32 hexadecimal digits.")] = None,
) -> None:
    """Show the ISIM without its secrets; with --rand and --autn, what it answers (nothing is noted on the card)."""
    from ue_agent.card import show_card, try_authentication

    if (rand is None) != (autn is None):
        _fail("--rand and --autn go together", 2)
    challenge = [_octets(name, text) for name, text in (("--rand", rand), ("--autn", autn)) if text is not None]
    config = _load(config_file)
    from ue_agent.store import Store

    try:
        store = Store(config.ue.state_dir)
        card = config.isim.card(store.isim_state(config.isim.private_user_identity))
    except (StoreError, ValueError) as exc:
        _fail(str(exc), 1)
    shown = show_card(card)
    if challenge:
        shown["authentication"] = try_authentication(card, challenge[0], challenge[1])
    _print(shown)
    if challenge and shown["authentication"]["outcome"] == "refused":
        raise typer.Exit(1)


@app.command()
def register(config_file: ConfigFile, system: System = None, expires: Expires = None, stay: Stay = False) -> None:
    """Register at a system that the UE knows (10.6.1 steps 2-3, 10.6.2 steps 2-13)."""
    from ue_agent.journeys import register_at

    async def journey(agent: Any, say: Callable[[str], None]) -> None:
        _print(await register_at(agent, system or agent.primary, expires, say))
        await _stay(stay, say)

    _with_agent(config_file, _show_event, journey)


@app.command()
def migrate(
    config_file: ConfigFile,
    partner: Partner = None,
    at: Coordinates = None,
    flow: Flow = "password",
    expires: Expires = None,
    stay: Stay = False,
) -> None:
    """Migrate: authenticate, get connection details, exchange the token, register at the partner, in one go."""
    from ue_agent.journeys import migrate_to, parse_coordinates, parse_flow

    try:
        where, how = parse_coordinates(at), parse_flow(flow)
    except UeError as exc:
        _fail(str(exc), 2)

    async def journey(agent: Any, say: Callable[[str], None]) -> None:
        _print(await migrate_to(agent, partner, where, how, expires, say))
        await _stay(stay, say)

    _with_agent(config_file, _show_event, journey)


@app.command(name="return-home")
def return_home(
    config_file: ConfigFile,
    leave: Annotated[
        str | None, typer.Option("--leave", help="De-register at this partner first, if it is reachable.")
    ] = None,
    expires: Expires = None,
    stay: Stay = False,
) -> None:
    """Register at the primary MC system again."""
    from ue_agent.journeys import go_home

    async def journey(agent: Any, say: Callable[[str], None]) -> None:
        _print(await go_home(agent, leave, expires, say))
        await _stay(stay, say)

    _with_agent(config_file, _show_event, journey)


def _with_agent(
    config_file: Path,
    emit: Callable[[dict[str, Any]], None],
    work: Callable[[Any, Callable[[str], None]], Awaitable[None]],
) -> None:
    config = _load(config_file)
    try:
        asyncio.run(_work(config, emit, work))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except UeError as exc:
        details = exc.members()
        if len(details) > 1:
            _print({"ok": False, **details})
        _fail(_one_line(details), 1)


async def _work(
    config: UeConfig,
    emit: Callable[[dict[str, Any]], None],
    work: Callable[[Any, Callable[[str], None]], Awaitable[None]],
) -> None:
    from ue_agent.agent import Agent
    from ue_agent.hook_trial import prove_aka
    from ue_agent.store import Store

    store = Store(config.ue.state_dir)
    try:
        await prove_aka()
        try:
            agent = Agent(config, store, emit)
        except ValueError as exc:
            raise StoreError(f"isim.json: {exc}") from exc
        try:
            await work(agent, lambda text: typer.echo(text, err=True))
        finally:
            await agent.stop()
    finally:
        store.close()


async def _stay(stay: bool, say: Callable[[str], None]) -> None:
    if not stay:
        return
    import signal

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    say("staying registered; Ctrl-C to end")
    await ended.wait()


def _load(config_file: Path) -> UeConfig:
    try:
        return load_config(config_file)
    except ConfigError as exc:
        _fail(str(exc), 2)


def _octets(name: str, text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != 16:
        _fail(f"{name}: not 32 hexadecimal digits", 2)
    return octets


def _one_line(details: dict[str, Any]) -> str:
    parts = [details["reason"], details.get("detail"), details.get("step") and f"step {details['step']}"]
    status = details.get("status")
    return ": ".join(str(part) for part in ([f"{status}"] if status else []) + parts if part)


def _show_event(event: dict[str, Any]) -> None:
    typer.echo(json.dumps(event), err=True)


def _print(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2))


def _fail(text: str, code: int) -> NoReturn:
    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
