"""Command line of the configuration management server: ``mmserver configuration ...``."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from mmserver.quick_imports import quick_imports

if TYPE_CHECKING:
    from mmserver.configuration.admin_client import AdminClient
    from mmserver.configuration.config import CmsConfig

NO_DOMAINS: Final = (
    "system.mc_service_id_domains is empty: a partner that asks for one of our own users (CSC-17) is answered "
    "as for any other; name the domains of our MC service IDs to have it refused"
)

app = typer.Typer(
    help="Configuration management server (TS 23.280): tells a UE how to reach a partner MC system (10.1.X.1).\n\n"
    "It lets UEs in by an access token (CSC-4), asks the migration management server of its own MC system for SIP "
    "identities (CSC-X) and the partner's configuration management server for access (CSC-17).",
    epilog="agreements, users, groups, withdrawals, dry-run and reload speak to the running server's admin API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file, for example /etc/mmserver/cms.toml.")]
Url = Annotated[str | None, typer.Option("--url", help="The running server; by default the file's own `cms`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command()
def run(config: ConfigFile) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads; one line on standard output says when it accepts."""
    with quick_imports():
        from mmserver.configuration import server
        from mmserver.configuration.errors import StoreUnavailable
        from mmserver.http.server import ListenFailed
        from mmserver.http.settings import missing_store, store_fault

    with _failing():
        loaded = _load(config)
        if loaded.store and (missing := missing_store(loaded.store.url)):
            _fail(missing, 1)
        try:
            asyncio.run(server.run(loaded, config))
        except StoreUnavailable as exc:
            _fail(store_fault(loaded.store.url if loaded.store else "", exc.detail), 1)
        except ListenFailed as exc:
            _fail(exc, 1)


@app.command()
def check(
    config: ConfigFile,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if there is a warning.")] = False,
) -> None:
    """Check a configuration file and the files that it names, hold its agreements against the MMS, and exit.

    A file that is wrong in itself is exit code 2.  An agreement that the migration management server has not, or has
    otherwise, or that it cannot be asked now, is a warning on standard error.
    """
    from mmserver.configuration import server

    with _failing():
        loaded = _load(config)
        catalogue = server.check(loaded)
        warnings = asyncio.run(server.held_against_mms(loaded, catalogue))
    if catalogue.partners and not loaded.system.mc_service_id_domains:
        warnings = (NO_DOMAINS, *warnings)
    found = {
        "system": loaded.system.name,
        "users": len(catalogue.users),
        "groups": len(catalogue.groups),
        "partners": sorted(catalogue.partners),
        "store": loaded.store is not None,
        "warnings": warnings,
    }
    text = f"ok: {loaded.system.name}, {found['users']} users, {len(catalogue.partners)} partners"
    typer.echo(json.dumps(found) if as_json else text)
    _warn(warnings)
    if strict and warnings:
        raise typer.Exit(1)


@app.command()
def upgrade(config: ConfigFile) -> None:
    """Make the store, or bring its schema to this version's; run it before `run`."""
    from mmserver.configuration.errors import StoreUnavailable

    with _failing():
        loaded = _load(config)
    if loaded.store is None:
        _fail(f"{config.name}: store: is missing: without [store] url there is nothing to upgrade", 2)
    from mmserver.configuration.schema.upgrade import upgrade as upgrade_store

    try:
        revision = upgrade_store(loaded.store.url)
    except StoreUnavailable as exc:
        _fail(f"store: {exc.detail}", 1)
    except OSError as exc:
        _fail(f"store: {exc}", 1)
    typer.echo(f"ok: schema {revision}")


@app.command()
def openapi(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of documentation instead.")] = False,
) -> None:
    """Print the OpenAPI description of CSC-4, CSC-17 and the admin API."""
    from mmserver.configuration.server import openapi_document
    from mmserver.http.reference import format_reference

    document = openapi_document()
    typer.echo(format_reference(document) if markdown else json.dumps(document, indent=2), nl=not markdown)


@app.command()
def reload(config: ConfigFile, url: Url = None, as_json: Json = False) -> None:
    """Have the running server read its configuration file again; one that cannot be used changes nothing."""
    done = _asked(config, url, lambda client: client.post("/reload"))
    text = f"ok: {done['users']} users, {done['groups']} groups, {done['agreements']} agreements in force"
    typer.echo(json.dumps(done) if as_json else text)
    _warn(done["warnings"])


@app.command(name="dry-run")
def dry_run(
    config: ConfigFile,
    user: Annotated[list[str], typer.Option("--user", help="MC service ID; may be given again.")],
    location: Annotated[
        str | None, typer.Option(help='JSON, for example {"tracking_area": "00102-0002"}; for a user of ours.')
    ] = None,
    partner: Annotated[str | None, typer.Option(help="The partner asked for.")] = None,
    from_system: Annotated[
        str | None, typer.Option("--from", help="Inbound: the primary MC system that the user would come from.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Could this user migrate now?  If not, which step refuses and why.  Exit code 1 when not."""
    from mmserver.configuration.admin_client import parsed
    from mmserver.configuration.dry_run import InboundDryRun, OutboundDryRun

    if (from_system is None) is (location is None):
        _fail("wanted either --location (a user of ours) or --from (a user of theirs)", 2)
    with _failing():
        if from_system is not None:
            inbound = {"primary_mc_system": from_system, "mc_service_ids": user}
            path, body = "/dry-run/inbound", parsed(InboundDryRun, json.dumps(inbound))
        else:
            place = _location_of(location)
            asked = {"mc_service_ids": user, "partner_mc_system": partner, "location_information": place}
            path, body = "/dry-run", parsed(OutboundDryRun, json.dumps(asked))
    report = _asked(config, url, lambda client: client.post(path, body))
    typer.echo(json.dumps(report) if as_json else "\n".join(_report_lines(report)))
    raise typer.Exit(0 if report["possible"] else 1)


def _location_of(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError) as exc:
        return _fail(f'--location: no JSON, such as {{"tracking_area": "00102-0002"}}: {exc}', 2)


def _report_lines(report: dict[str, Any]) -> Iterator[str]:
    partner = report.get("partner_mc_system")
    yield f"possible: {'yes' if report['possible'] else 'no'}" + (f", {partner}" if partner else "")
    refusal = report.get("refusal")
    if refusal:
        name = refusal["type"].rpartition(":")[2]
        yield f"refused: {refusal.get('step') or '-'} {name}: {refusal.get('detail') or refusal['title']}"
    for one in report.get("considered", ()):
        yield f"considered: {one['partner']}: {one['why_not'] or 'fits'}"


def _entry_commands(plural: str, kind: str, key: str) -> typer.Typer:
    """Return ``list``, ``show``, ``set`` and ``remove`` for one kind of entry."""
    group = typer.Typer(no_args_is_help=True, help=f"The {plural} of the running server.")
    named = Annotated[str, typer.Argument(help=f"{key} of the {kind}.")]
    table = "partners" if kind == "agreement" else plural
    holds = f"JSON or TOML, what one table `{table}` of cms.toml holds (docs/configuration.md)"
    beside = "; `ca` and `geojson` may name files beside it." if kind == "agreement" else "."

    def list_them(config: ConfigFile, url: Url = None, as_json: Json = False) -> None:
        found = _asked(config, url, lambda client: client.get(f"/{plural}"))
        lines = (f"{one[kind][key]}\t{one['source']}{' overruled' if one['overruled'] else ''}" for one in found)
        typer.echo(json.dumps(found) if as_json else "\n".join(lines))

    def show(name: named, config: ConfigFile, url: Url = None) -> None:
        from urllib.parse import quote

        found = _asked(config, url, lambda client: client.get(f"/{plural}/{quote(name, safe='')}"))
        typer.echo(json.dumps(found, indent=2))

    def set_one(
        file: Annotated[Path, typer.Argument(help=holds + beside)],
        config: ConfigFile,
        url: Url = None,
    ) -> None:
        from mmserver.configuration.admin_client import load_entry
        from mmserver.configuration.catalogue import Kind

        with _failing():
            entry = load_entry(Kind(kind), file)
        found = _asked(config, url, lambda client: client.put_entry(Kind(kind), entry))
        typer.echo(f"ok: {found[kind][key]}")
        _warn(found.get("warnings", ()))

    def remove(name: named, config: ConfigFile, url: Url = None) -> None:
        from mmserver.configuration.catalogue import Kind

        _asked(config, url, lambda client: client.remove_entry(Kind(kind), name))
        typer.echo(f"ok: {name} removed")

    group.command("list", help=f"List the {plural} of file and API.")(list_them)
    group.command("show", help=f"Show one {kind} as JSON.")(show)
    group.command("set", help=f"Set one {kind}; it survives a restart.")(set_one)
    group.command("remove", help=f"Take one {kind} away that came over the API.")(remove)
    return group


app.add_typer(_entry_commands("agreements", "agreement", "name"), name="agreements")
app.add_typer(_entry_commands("users", "user", "mc_service_id"), name="users")
app.add_typer(_entry_commands("groups", "group", "name"), name="groups")

withdrawals = typer.Typer(no_args_is_help=True, help="Withdraw migration, restore it, see what partners know.")
app.add_typer(withdrawals, name="withdrawals")


@withdrawals.command("list")
def list_withdrawals(
    config: ConfigFile,
    partner: Annotated[str | None, typer.Option(help="Of this MC system only.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what a partner has not been told.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List what is withdrawn, and what partners have been told: since when, and why not yet."""
    told = "false" if waiting else None
    found = _asked(config, url, lambda client: client.get("/withdrawals", partner=partner, told=told))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for one in found["standing"]:
        whom = one.get("mc_service_id") or "all users"
        typer.echo(
            f"{one['withdrawal']}\t{one['role']}\t{one['other_mc_system']}\t{whom}\t{one['at']}\t{one['reason']}"
        )
    for one in found["tellings"]:
        state = "told" if one["told"] else f"not told, {one['attempts']} attempts"
        users = ",".join(one["mc_service_ids"])
        typer.echo(
            f"{one['binding']}\t{one['partner']}\t{users}\t{one['action']}\t{state}\t{one['since']}\t{one['why']}"
        )


@withdrawals.command("add")
def add_withdrawal(
    config: ConfigFile,
    partner: Annotated[str, typer.Option(help="The other MC system.")],
    user: Annotated[str | None, typer.Option(help="MC service ID of one user.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="The whole agreement with --partner.")] = False,
    inbound: Annotated[bool, typer.Option("--inbound", help="Its users here, not ours there.")] = False,
    reason: Annotated[str, typer.Option(help="Goes to the audit trail.")] = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Withdraw migration: refused here at once; the partner is told until it knows."""
    from mmserver.configuration.admin_client import parsed
    from mmserver.configuration.api_admin import WithdrawRequest

    if (user is None) is not all_users:
        _fail("wanted either --user ID, or --all-users for the whole agreement", 2)
    role = "partner" if inbound else "primary"
    asked = {"role": role, "other_mc_system": partner, "mc_service_id": user, "reason": reason}
    with _failing():
        body = parsed(WithdrawRequest, json.dumps(asked))
    done = _asked(config, url, lambda client: client.post("/withdrawals", body))
    typer.echo(json.dumps(done) if as_json else f"ok: {done['withdrawal']}")


@withdrawals.command("restore")
def restore_withdrawal(
    withdrawal: Annotated[str, typer.Argument(help="Its name, from `list` or `add`.")],
    config: ConfigFile,
    reason: Annotated[str, typer.Option(help="Goes to the audit trail.")] = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Lift a withdrawal; the partner learns it."""
    from urllib.parse import quote

    from mmserver.configuration.admin_client import parsed
    from mmserver.configuration.api_admin import RestoreRequest

    with _failing():
        body = parsed(RestoreRequest, json.dumps({"reason": reason}))
    done = _asked(config, url, lambda client: client.post(f"/withdrawals/{quote(withdrawal, safe='')}/restore", body))
    typer.echo(json.dumps(done) if as_json else f"ok: {done['enabled']} bindings may be used again")


def _asked(config: Path, url: str | None, question: "Callable[[AdminClient], Awaitable[Any]]") -> Any:
    """Return the running server's answer, or end with one line that says why there is none."""
    from mmserver.configuration.admin_client import AdminClient
    from mmserver.configuration.peer import PeerFailure, PeerRefused

    async def ask(loaded: "CmsConfig") -> Any:
        async with AdminClient(loaded, url) as client:
            return await question(client)

    with _failing():
        loaded = _load(config)
        try:
            return asyncio.run(ask(loaded))
        except PeerRefused as exc:
            problem = exc.problem
            _fail(f"{problem.type.rpartition(':')[2]}: {problem.detail or problem.title}", 1)
        except PeerFailure as exc:
            _fail(exc, 1)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)


def _load(path: Path) -> "CmsConfig":
    from mmserver.configuration.config import load_config

    return load_config(path)


@contextmanager
def _failing() -> Iterator[None]:
    from mmserver.http.settings import ConfigError
    from mmserver.http.tls import TlsError

    try:
        yield
    except (ConfigError, TlsError) as exc:
        _fail(exc, 2)


def _fail(why: Exception | str, code: int) -> NoReturn:
    typer.echo(f"error: {why}", err=True)
    raise typer.Exit(code) from None
