"""``mmserver migration``: run, check, upgrade; ``cli_admin`` has what an administrator asks of a running server.

No logic here; what a command needs it imports itself, so that ``run`` never loads Alembic.
"""

import asyncio
import json
from typing import Annotated

import typer

from mmserver.http.settings import ConfigError, missing_store, store_fault
from mmserver.migration.cli_admin import register
from mmserver.migration.cli_options import ConfigOption, JsonOption, fail, load
from mmserver.migration.cli_store import add_commands
from mmserver.quick_imports import quick_imports

app = typer.Typer(
    help="Migration management server (TS 23.280): lends SIP identities to migrating users and binds them.",
    epilog="A new store first needs: mmserver migration upgrade --config mms.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

register(app)
add_commands(app)


@app.command()
def run(config: ConfigOption) -> None:
    """Serve CSC-X, the feed and Cx until SIGTERM or SIGINT; SIGHUP has the file read again.

    One line on standard output says when connections are accepted; logs go to standard error.
    """
    with quick_imports():
        from mmserver.http.server import ListenFailed
        from mmserver.http.tls import TlsError
        from mmserver.migration.errors import MigrationError, StoreUnavailable
        from mmserver.migration.service import serve

    loaded = load(config)
    if missing := missing_store(loaded.store.url):
        fail(1, missing)
    try:
        asyncio.run(serve(loaded, config))
    except ConfigError as exc:
        fail(2, f"{config.name}: {exc}")
    except StoreUnavailable as exc:
        fail(1, store_fault(loaded.store.url, str(exc)))
    except (ListenFailed, TlsError, MigrationError) as exc:
        fail(1, f"{exc}")


@app.command()
def check(
    config: ConfigOption,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if anything that was tried failed.")] = False,
) -> None:
    """Check a configuration file, and try what can be tried here: certificates, store, addresses, pools, HSS.

    A file that is wrong in itself is exit code 2.  What only fails on this machine now is a line with "failed".
    """
    from mmserver.http.tls import ClientTrust, TlsError, server_context
    from mmserver.migration.pools import load_pools
    from mmserver.migration.probes import probe_all

    loaded = load(config)
    clients = (*loaded.http.clients.of_csc_x, *loaded.http.clients.feed, *loaded.metrics.clients)
    try:
        pools = load_pools(loaded)
        server_context(loaded.tls.credentials(), ClientTrust.of_one_ca(clients, loaded.http.client_ca))
    except ConfigError as exc:
        fail(2, f"{config.name}: {exc}")
    except TlsError as exc:
        fail(2, f"{config.name}: tls: {exc}")
    probes = asyncio.run(probe_all(loaded, pools))
    found = {
        "system": loaded.system.name,
        "csc_x": f"{loaded.http.address}:{loaded.http.port}",
        "cx": f"{loaded.diameter.address}:{loaded.diameter.port}",
        "partners": [partner.name for partner in loaded.partners],
        "probes": [{"what": probe.what, "ok": probe.ok, "detail": probe.detail} for probe in probes],
    }
    if as_json:
        typer.echo(json.dumps(found))
    else:
        partners = ", ".join(partner.name for partner in loaded.partners) or "no partner"
        typer.echo(f"ok: {loaded.system.identifier}: CSC-X on {found['csc_x']}, Cx on {found['cx']}, {partners}")
        for probe in probes:
            typer.echo(f"{'ok' if probe.ok else 'failed'}: {probe.what}: {probe.detail}")
    if strict and not all(probe.ok for probe in probes):
        raise typer.Exit(1)


@app.command()
def openapi(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/api-migration.md.")] = False,
) -> None:
    """Print the OpenAPI description of CSC-X and the feed, or the reference made from it."""
    from mmserver.http.reference import format_reference
    from mmserver.migration.service import openapi_document

    document = openapi_document()
    typer.echo(format_reference(document) if markdown else json.dumps(document, indent=2), nl=not markdown)
