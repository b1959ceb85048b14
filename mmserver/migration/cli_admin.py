"""``mmserver migration list|show|allocate|...``: what an administrator asks of a running server, over CSC-X.

No logic: options in, one request out, a line for people or JSON for scripts.  ``admin_client`` knows the way.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from mmserver.migration.admin_text import audit_line, binding_details, binding_line, withdrawal_line

if TYPE_CHECKING:
    from mmserver.migration.admin_client import AdminClient

API: Final = "/csc-x/v1"
BINDINGS: Final = f"{API}/bindings"
POLL_S: Final = 0.5
PANEL: Final = "A running server, over CSC-X (--admin)"


class RoleName(StrEnum):
    """Which side of migration."""

    PRIMARY = "primary"
    PARTNER = "partner"


class StateName(StrEnum):
    """State of a binding."""

    HELD = "held"
    ALLOCATED = "allocated"
    REGISTERED = "registered"
    QUARANTINED = "quarantined"


# fmt: off
Admin = Annotated[Path, typer.Option("--admin", help="File that names the server and your certificate.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Why = Annotated[str, typer.Option("--reason", help="Why; goes to the audit trail with your certificate's name.")]
Role = Annotated[RoleName | None, typer.Option("--role", help="primary: own users elsewhere; partner: inbound users.")]
Partner = Annotated[str | None, typer.Option("--partner", help="The other MC system.")]
User = Annotated[str | None, typer.Option("--user", help="MC service ID of the user.")]
Handle = Annotated[str, typer.Argument(metavar="BINDING", help="Name of a binding, as `list` shows it.")]
Users = Annotated[list[str], typer.Option("--user", help="MC service ID; may be given again.")]
System = Annotated[str, typer.Option("--partner", help="The other MC system.")]
AskedRole = Annotated[RoleName, typer.Option("--role", help="primary: step 5, --impi and --impu are the ISIM's; "
                                                            "partner: step 10, they are the primary migration set.")]
Impi = Annotated[str, typer.Option("--impi", help="Private user identity.")]
Impus = Annotated[list[str], typer.Option("--impu", help="Public user identity; may be given again, in order.")]
Mms = Annotated[str | None, typer.Option("--mms", help="Partner role: identifier of the primary MMS.")]
# fmt: on
ADMIN_FILE: Final = Path("mms-admin.toml")


def register(app: typer.Typer) -> None:
    """Add the commands to ``mmserver migration``."""
    for name, command in COMMANDS.items():
        app.command(name, rich_help_panel=PANEL)(command)


def list_bindings(
    admin: Admin = ADMIN_FILE,
    role: Role = None,
    partner: Partner = None,
    user: User = None,
    state: Annotated[StateName | None, typer.Option("--state", help="In this state only.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Withdrawn ones only.")] = False,
    as_json: AsJson = False,
) -> None:
    """List bindings: who is lent what, and how it stands."""
    query = {"role": role, "other_mc_system": partner, "mc_service_id": user, "state": state}
    with _server(admin) as server:
        for one in server.pages(BINDINGS, "binding", **query, enabled=False if disabled else None):
            typer.echo(json.dumps(one) if as_json else binding_line(one))


def show(name: Handle, admin: Admin = ADMIN_FILE, as_json: AsJson = False) -> None:
    """Show one binding, or all of a private user identity (with @): its sets, its life, the proxies that lag."""
    with _server(admin) as server:
        found = (
            list(server.pages(BINDINGS, "binding", private_user_identity=name))
            if "@" in name
            else [server.ask("GET", f"{BINDINGS}/{_quoted(name)}")]
        )
    if not found:
        _fail(f"no binding has the private user identity {name}")
    for one in found:
        typer.echo(json.dumps(one) if as_json else binding_details(one))


def reload(admin: Admin = ADMIN_FILE, as_json: AsJson = False) -> None:
    """Have the server read its file again: agreements, pools, TLS files; one that cannot be used changes nothing."""
    with _server(admin) as server:
        done = server.ask("POST", f"{API}/reload")
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(f"ok: {len(done['partners'])} partners, {done['primary_sets']} + {done['partner_sets']} sets in force")
    if done["need_restart"]:
        typer.echo(f"changed, and waits for a restart: {', '.join(done['need_restart'])}")


def allocate(
    user: Users,
    partner: System,
    impi: Impi,
    impu: Impus,
    role: AskedRole = RoleName.PRIMARY,
    mms: Mms = None,
    hold: Annotated[bool, typer.Option("--hold", help="Do not confirm it: it lapses after lifetime.held_s.")] = False,
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Do step 5 (or with --role partner step 10) of 10.1.X.1 by hand, and confirm the binding."""
    path, body = _asked(role, user, partner, impi, impu, mms)
    with _server(admin) as server:
        name = server.ask("POST", path, body)["binding"]
        if not hold:
            server.ask("POST", f"{BINDINGS}/{name}/confirm", {"reason": "allocated by hand"})
        one = server.ask("GET", f"{BINDINGS}/{name}")
    typer.echo(json.dumps(one) if as_json else binding_details(one))


def dry_run(
    user: Users,
    partner: System,
    impi: Impi,
    impu: Impus,
    role: AskedRole = RoleName.PRIMARY,
    mms: Mms = None,
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Would step 5 (or with --role partner step 10) lend this user a set now?  Writes nothing; exit 1 when not."""
    path, body = _asked(role, user, partner, impi, impu, mms)
    with _server(admin) as server:
        found = server.ask("POST", f"{path}/dry-run", body)
    if as_json:
        typer.echo(json.dumps(found))
    elif found["possible"]:
        typer.echo(f"yes: step {found['step']} would give {found['binding'] or 'a new binding'}")
    else:
        code = found["type"].rpartition(":")[2]
        typer.echo(f"no: step {found['step']} refuses, {code}: {found['title']}: {found['detail']}")
    if not found["possible"]:
        raise typer.Exit(1)


def release(name: Handle, reason: Why = "", admin: Admin = ADMIN_FILE, as_json: AsJson = False) -> None:
    """Give a binding back: RTR to the S-CSCF if it is registered, then quarantine, then the set is free."""
    with _server(admin) as server:
        one = server.ask("POST", f"{BINDINGS}/{_quoted(name)}/release", {"reason": reason})
    typer.echo(json.dumps(one) if as_json else binding_line(one))


def withdraw(
    name: Annotated[str | None, typer.Argument(metavar="BINDING", help="This binding alone.")] = None,
    partner: Partner = None,
    user: User = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="The whole agreement with --partner.")] = False,
    role: Annotated[RoleName, typer.Option("--role", help="Of own users there, or of inbound users from there.")] = (
        RoleName.PRIMARY
    ),
    reason: Why = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until every RTR has its outcome.")] = False,
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Withdraw migration: of one binding, of a user for one partner, or of a whole agreement.

    From then on steps 5 and 10 refuse, UAR is answered 5004, and what is registered is taken out of the S-CSCF by RTR.
    Other partners of the same user go on.  `restore` gives it back.
    """
    if name is not None:
        if partner or user or all_users:
            _misused("either a BINDING, or --partner with --user or --all-users")
        with _server(admin) as server:
            one = server.ask("POST", f"{BINDINGS}/{_quoted(name)}/disable", {"reason": reason})
        typer.echo(json.dumps(one) if as_json else binding_line(one))
        return
    if partner is None or (user is None) is not all_users:
        _misused("wanted a BINDING, or --partner with either --user ID or --all-users")
    body = {"role": role, "other_mc_system": partner, "mc_service_id": user, "reason": reason}
    with _server(admin) as server:
        status = server.ask("POST", f"{API}/withdrawals", body)
        while wait and (status["remaining"] or status["pending"]):
            typer.echo(withdrawal_line(status), err=True)
            time.sleep(POLL_S)
            status = server.ask("GET", f"{API}/withdrawals/{status['withdrawal']}")
    typer.echo(json.dumps(status) if as_json else withdrawal_line(status))


def restore(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A withdrawal (w-...) or a binding.")] = None,
    partner: Partner = None,
    user: User = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="The whole agreement with --partner.")] = False,
    role: Annotated[RoleName, typer.Option("--role", help="As it was withdrawn.")] = RoleName.PRIMARY,
    reason: Why = "",
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Give back what `withdraw` took; what another withdrawal disables stays disabled."""
    if (name is None) is (partner is None) or (partner is not None and (user is None) is not all_users):
        _misused("wanted a NAME, or --partner with either --user ID or --all-users")
    with _server(admin) as server:
        if name is not None and not name.startswith("w-"):
            one = server.ask("POST", f"{BINDINGS}/{_quoted(name)}/enable", {"reason": reason})
            typer.echo(json.dumps(one) if as_json else binding_line(one))
            return
        name = name or _withdrawal_of(server, role, str(partner), user)
        done = server.ask("POST", f"{API}/withdrawals/{_quoted(name)}/restore", {"reason": reason})
    typer.echo(json.dumps(done) if as_json else f"restored {done['withdrawal']}: {done['enabled']} bindings enabled")


def withdrawals(
    admin: Admin = ADMIN_FILE, role: Role = None, partner: Partner = None, user: User = None, as_json: AsJson = False
) -> None:
    """List the withdrawals that stand: of whom, by whom, why, and how far they are."""
    query = {"role": role, "other_mc_system": partner, "mc_service_id": user}
    with _server(admin) as server:
        for one in server.pages(f"{API}/withdrawals", "withdrawal", **query):
            typer.echo(json.dumps(one) if as_json else withdrawal_line(one))


def import_file(
    file: Annotated[Path, typer.Argument(help="JSON lines as `export` writes them; - is standard input.")],
    try_only: Annotated[bool, typer.Option("--dry-run", help="Write nothing, say what would be done.")] = False,
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Enter bindings from a file, one a line (pre-provisioned mode).  The same file again changes nothing.

    A line that is refused is named and hinders no other; then the exit code is 1.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8", "surrogateescape")
    except OSError as exc:
        _fail(f"{file}: {exc.strerror or exc}")
    total: dict[str, Any] = dict.fromkeys(("lines", "entered", "changed", "unchanged"), 0) | {"refused": []}
    with _server(admin) as server:
        for report in server.import_lines(text.split("\n"), dry_run=try_only):
            for key in total:
                total[key] += report[key]
    if as_json:
        typer.echo(json.dumps({"dry_run": try_only} | total))
    else:
        for one in total["refused"]:
            typer.echo(f"{file}:{one['line']}: {one['type'].rpartition(':')[2]}: {one['detail']}", err=True)
        counts = ", ".join(f"{total[key]} {key}" for key in ("entered", "changed", "unchanged"))
        typer.echo(f"{'would be: ' if try_only else ''}{counts}, {len(total['refused'])} refused")
    if total["refused"]:
        raise typer.Exit(1)


def export(admin: Admin = ADMIN_FILE, role: Role = None, partner: Partner = None, user: User = None) -> None:
    """Write the bindings that are allocated or registered to standard output, one JSON object a line."""
    with _server(admin) as server:
        for line in server.export(role=role, other_mc_system=partner, mc_service_id=user):
            sys.stdout.write(line + "\n")


def audit(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A binding or a withdrawal.")] = None,
    user: User = None,
    partner: Partner = None,
    since: Annotated[datetime | None, typer.Option("--since", help="From this moment on (local time).")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Before this moment (local time).")] = None,
    admin: Admin = ADMIN_FILE,
    as_json: AsJson = False,
) -> None:
    """Show what happened, oldest first: who, what, why.  All conditions hold together."""
    query = {
        "binding": name,
        "mc_service_id": user,
        "other_mc_system": partner,
        "since": _moment("--since", since),
        "until": _moment("--until", until),
    }
    count = 0
    with _server(admin) as server:
        for row in server.pages(f"{API}/audit", "id", **query):
            count += 1
            typer.echo(json.dumps(row) if as_json else audit_line(row))
    if name is not None and not count:
        _fail(f"nothing is known of {name}")


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "list": list_bindings,
    "show": show,
    "reload": reload,
    "allocate": allocate,
    "dry-run": dry_run,
    "release": release,
    "withdraw": withdraw,
    "restore": restore,
    "withdrawals": withdrawals,
    "import": import_file,
    "export": export,
    "audit": audit,
}


@contextmanager
def _server(admin: Path) -> "Iterator[AdminClient]":
    from mmserver.http.settings import ConfigError
    from mmserver.migration.admin_client import AdminClient, AdminError, load_admin_config

    try:
        config = load_admin_config(admin)
    except ConfigError as exc:
        _misused(f"{exc}\n  --admin names a file with url, ca, certificate and private_key (docs/operations.md)")
    try:
        with AdminClient(config) as server:
            yield server
    except AdminError as exc:
        _fail(str(exc))


def _asked(
    role: RoleName, users: list[str], partner: str, impi: str, impus: list[str], mms: str | None
) -> tuple[str, dict[str, Any]]:
    identities = {"private_user_identity": impi, "public_user_identities": impus}
    if role is RoleName.PRIMARY:
        body = {"mc_service_ids": users, "default_identities": identities, "partner_mc_system": partner}
        return f"{API}/primary-mc-system-sip-identities", body
    if mms is None:
        _misused("--role partner wants --mms, the identifier of the primary migration management server")
    return f"{API}/partner-mc-system-sip-identities", {
        "primary_mc_system": partner,
        "migration_management_server": mms,
        "primary_mc_system_sip_identities": identities,
        "mc_service_ids": users,
    }


def _withdrawal_of(server: "AdminClient", role: RoleName, partner: str, user: str | None) -> str:
    standing = server.pages(f"{API}/withdrawals", "withdrawal", role=role, other_mc_system=partner)
    found = next((one for one in standing if one["mc_service_id"] == user), None)
    if found is not None:
        return str(found["withdrawal"])
    return _fail(f"migration is not withdrawn for {user or 'all users'} and {partner}; `withdrawals` shows what is")


def _quoted(name: str) -> str:
    from urllib.parse import quote

    if not name:
        _misused("the name is empty: `list` and `withdrawals` show names")
    return quote(name, safe="")


def _moment(option: str, value: datetime | None) -> str | None:
    try:
        return None if value is None else value.astimezone().isoformat()
    except (OverflowError, ValueError, OSError):
        return _misused(f"{option}: {value} is no moment that this machine knows in local time")


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


def _misused(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)
