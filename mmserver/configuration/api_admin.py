"""The admin API: users, groups and agreements as data, withdrawals, dry runs, reload, audit trail.

For clients that ``[admin]`` names and nobody else.  What it lists never shows a SIP identity that is lent.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from mmserver.configuration.api_examples import ADMITTED_AGREEMENT, example
from mmserver.configuration.catalogue import Catalogue, Item, Kind, Listed, Source, name_of
from mmserver.configuration.cross_check import CrossCheck
from mmserver.configuration.directory import Directory
from mmserver.configuration.dry_run import DryRunReport, InboundDryRun, OutboundDryRun, Trial
from mmserver.configuration.errors import EntryNotUsable, NoStore
from mmserver.configuration.problems import responses_of
from mmserver.configuration.tellings import Action, Telling
from mmserver.configuration.terms import Group, Partner, User
from mmserver.http.access import client_names
from mmserver.http.app import no_content
from mmserver.http.limits import RateLimit
from mmserver.messages import Body, McServiceId, Restored, Role, StandingWithdrawal, SystemName

PREFIX = "/admin/v1"
EntryName = Annotated[str, Path(min_length=1, max_length=255, description="Name, or MC service ID of a user.")]


class AgreementListed(Body):
    """An agreement, and where it stands: ``file`` is read-only here; ``overruled``: the file names it too and wins."""

    agreement: Partner
    source: Source
    overruled: bool = False


class AgreementSet(AgreementListed):
    """An agreement that is in force now, and where our migration management server has another one."""

    warnings: Annotated[
        tuple[str, ...], Field(description="It differs at our migration management server, or that could not be asked.")
    ] = ()


class UserListed(Body):
    """A user, and where the entry stands."""

    user: User
    source: Source
    overruled: bool = False


class GroupListed(Body):
    """A group, and where the entry stands."""

    group: Group
    source: Source
    overruled: bool = False


class TellingListed(Body):
    """What a partner has been told of one binding, or is to be told, since when, and why not yet."""

    binding: str
    partner: SystemName
    mc_service_ids: tuple[str, ...]
    action: Action
    told: bool
    since: datetime
    attempts: int
    tried_at: datetime | None = None
    told_at: datetime | None = None
    why: Annotated[str, Field(examples=["partner-unreachable"])] = ""


class WithdrawRequest(Body):
    """Withdraw migration: of one user at one partner, or of the whole agreement."""

    role: Annotated[Role, Field(description="primary: our users at the partner.  partner: its users here.")] = (
        Role.PRIMARY
    )
    other_mc_system: SystemName
    mc_service_id: Annotated[McServiceId | None, Field(description="Absent: the whole agreement.")] = None
    reason: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = ""


class RestoreRequest(Body):
    """Why a withdrawal is lifted."""

    reason: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = ""


class WithdrawalsListed(Body):
    """What is withdrawn, and what partners know of it."""

    standing: tuple[StandingWithdrawal, ...]
    tellings: Annotated[
        tuple[TellingListed, ...], Field(description="By binding; ask for what comes after the last one next.")
    ]


class Reloaded(Body):
    """The configuration file has been read again and is in force."""

    users: int
    groups: int
    agreements: int
    warnings: Annotated[
        tuple[str, ...],
        Field(description="Agreements that our migration management server has not, or has otherwise."),
    ] = ()


class AuditListed(Body):
    """What was changed over the admin API."""

    id: int
    at: datetime
    event: Annotated[str, Field(examples=["agreement.set"])]
    kind: str
    name: str
    actor: str
    traceparent: str


_PUT_ALONE: Final[tuple[tuple[Kind, str, type[Item], type[Body]], ...]] = (
    (Kind.USER, "users", User, UserListed),
    (Kind.GROUP, "groups", Group, GroupListed),
)


class AuditReader(Protocol):
    """Where the audit trail is kept."""

    async def audit_trail(self, kind: Kind | None, name: str | None, after: int) -> list[Any]:
        """Return what was changed, oldest first."""


class TellingReader(Protocol):
    """Where tellings are known."""

    async def find(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        """Return tellings by binding."""


class WithdrawalsAtMms(Protocol):
    """CSC-X, as far as withdrawals go."""

    async def withdraw(self, request: BaseModel) -> StandingWithdrawal:
        """Withdraw migration."""

    async def standing(self, other_mc_system: str | None) -> list[StandingWithdrawal]:
        """Return the withdrawals that stand."""

    async def lift(self, withdrawal: str, reason: str) -> Restored:
        """Lift a withdrawal."""


def admin_router(
    directory: Directory,
    trial: Trial,
    tellings: TellingReader,
    mms: WithdrawalsAtMms,
    cross_check: CrossCheck,
    audit: AuditReader | None,
    limit: RateLimit,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
) -> APIRouter:
    """Return the routes of the admin API."""

    async def limited(request: Request) -> None:
        limit.admit(_actor(request), monotonic())

    router = APIRouter(prefix=PREFIX, tags=["admin"], dependencies=[Depends(limited)], responses=responses_of("admin"))
    _add_entries(router, directory, Kind.AGREEMENT, "agreements", AgreementListed)
    _add_put_agreement(router, directory, cross_check)
    for kind, plural, model, shown in _PUT_ALONE:
        _add_entries(router, directory, kind, plural, shown)
        _add_put(router, directory, kind, plural, model, shown)
    _add_withdrawals(router, tellings, mms)
    _add_operation(router, directory, cross_check, trial, audit, clock)
    return router


def _add_put_agreement(router: APIRouter, directory: Directory, cross_check: CrossCheck) -> None:
    shown: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": ADMITTED_AGREEMENT}}}}

    @router.put("/agreements/{name:path}", operation_id="put_agreement", responses=shown)
    async def put_agreement(
        name: EntryName, body: Annotated[Partner, example("Partner")], request: Request
    ) -> AgreementSet:
        """Set one agreement; it is in force and kept when this answers.

        Refused where our own migration management server does not know the partner.  What it has otherwise, or that it
        could not be asked, is a warning.
        """
        _require_name(body, name)
        directory.require_usable(body, Kind.AGREEMENT)
        warnings = await cross_check.require_known(body)
        await directory.set(body, Kind.AGREEMENT, _actor(request))
        one = directory.get(Kind.AGREEMENT, name)
        return AgreementSet.model_validate(
            {"agreement": one.item, "source": one.source, "overruled": one.overruled, "warnings": warnings}
        )


def _add_put(
    router: APIRouter, directory: Directory, kind: Kind, plural: str, model: type[Item], shown: type[Body]
) -> None:
    async def put(name: EntryName, body: Any, request: Request) -> Any:
        _require_name(body, name)
        await directory.set(body, kind, _actor(request))
        return _entry(directory.get(kind, name), kind, shown)

    put.__annotations__["body"] = Annotated[model, example(model.__name__)]
    router.add_api_route(
        f"/{plural}/{{name:path}}",
        put,
        methods=["PUT"],
        operation_id=f"put_{kind}",
        response_model=shown,
        description=f"Set one {kind}; it is in force and kept when this answers.",
    )


def _add_entries(router: APIRouter, directory: Directory, kind: Kind, plural: str, shown: type[Body]) -> None:
    async def list_them(
        after: Annotated[str, Query(max_length=255, description="Continue after this name.")] = "",
    ) -> list[Any]:
        found = sorted(directory.current.listed[kind], key=lambda one: name_of(one.item))
        return [_entry(one, kind, shown) for one in found if name_of(one.item) > after][:1000]

    async def get(name: EntryName) -> Any:
        return _entry(directory.get(kind, name), kind, shown)

    async def remove(name: EntryName, request: Request) -> Response:
        await directory.remove(kind, name, _actor(request))
        return no_content()

    routes: list[tuple[str, str, Callable[..., Awaitable[Any]], str, dict[str, Any]]] = [
        ("", "GET", list_them, f"list_{plural}", {"response_model": list[shown]}),  # type: ignore[valid-type]
        ("/{name:path}", "GET", get, f"get_{kind}", {"response_model": shown}),
        ("/{name:path}", "DELETE", remove, f"delete_{kind}", {"status_code": 204, "response_class": Response}),
    ]
    said = {
        "GET": f"Return the {plural} of file and API by name, 1,000 at most.",
        f"get_{kind}": f"Return one {kind}.",
        "DELETE": f"Take one {kind} away that came over the API.",
    }
    for path, method, endpoint, operation, more in routes:
        description = said.get(operation) or said[method]
        router.add_api_route(
            f"/{plural}{path}", endpoint, methods=[method], operation_id=operation, description=description, **more
        )


def _add_withdrawals(router: APIRouter, tellings: TellingReader, mms: WithdrawalsAtMms) -> None:
    @router.get("/withdrawals", operation_id="list_withdrawals")
    async def list_withdrawals(
        partner: SystemName | None = None,
        told: Annotated[bool | None, Query(description="Only those that the partner was, or was not, told of.")] = None,
        after: Annotated[str, Query(max_length=64, description="Continue after this binding.")] = "",
    ) -> WithdrawalsListed:
        """Return what is withdrawn at our migration management server, and what the partners have been told."""
        found = await tellings.find(partner, None if told is None else not told, after)
        standing = await mms.standing(partner)
        return WithdrawalsListed(standing=tuple(standing), tellings=tuple(_shown(one) for one in found))

    @router.post("/withdrawals", operation_id="withdraw_migration")
    async def withdraw(body: Annotated[WithdrawRequest, example("WithdrawRequest")]) -> StandingWithdrawal:
        """Withdraw migration of a user or a whole agreement: refused at once, told to the partner until it knows."""
        return await mms.withdraw(body)

    @router.post("/withdrawals/{withdrawal}/restore", operation_id="restore_migration")
    async def restore(
        withdrawal: Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_\-]+$")],
        body: Annotated[RestoreRequest, example("RestoreRequest")],
    ) -> Restored:
        """Lift a withdrawal; the partner learns it."""
        return await mms.lift(withdrawal, body.reason)


def _add_operation(
    router: APIRouter,
    directory: Directory,
    cross_check: CrossCheck,
    trial: Trial,
    audit: AuditReader | None,
    clock: Callable[[], float],
) -> None:
    def now() -> datetime:
        return datetime.fromtimestamp(clock(), UTC)

    @router.post("/dry-run", operation_id="dry_run")
    async def dry_run(body: Annotated[OutboundDryRun, example("OutboundDryRun")]) -> DryRunReport:
        """Say whether a user of ours could migrate from there now; if not, which step refuses and why."""
        return await trial.outbound(body, now())

    @router.post("/dry-run/inbound", operation_id="dry_run_inbound")
    async def dry_run_inbound(body: Annotated[InboundDryRun, example("InboundDryRun")]) -> DryRunReport:
        """Say whether a user of a primary MC system could come in now; if not, which step refuses and why."""
        return await trial.inbound(body, now())

    @router.post("/reload", operation_id="reload")
    async def reload(request: Request) -> Reloaded:
        """Read the configuration file again, and the TLS files; one of no use leaves the old one in force."""
        catalogue = await directory.reload(_actor(request))
        return reloaded(catalogue, await cross_check.review())

    @router.get("/audit", operation_id="audit_trail")
    async def audit_trail(
        kind: Kind | None = None,
        name: Annotated[str | None, Query(max_length=255)] = None,
        after: Annotated[int, Query(ge=0, lt=1 << 62, description="Continue after this row.")] = 0,
    ) -> list[AuditListed]:
        """Return what was changed over this API, oldest first, 1,000 at most."""
        if audit is None:
            raise NoStore("there is no audit trail without a store")
        return [
            AuditListed(
                id=row.id,
                at=datetime.fromtimestamp(row.at, UTC),
                event=row.event,
                kind=row.kind,
                name=row.name,
                actor=row.actor,
                traceparent=row.traceparent,
            )
            for row in await audit.audit_trail(kind, name, after)
        ]


def reloaded(catalogue: Catalogue, warnings: tuple[str, ...] = ()) -> Reloaded:
    """Return what is in force."""
    users, groups, agreements = len(catalogue.users), len(catalogue.groups), len(catalogue.partners)
    return Reloaded(users=users, groups=groups, agreements=agreements, warnings=warnings)


def _entry(one: Listed, kind: Kind, shown: type[Body]) -> Body:
    return shown.model_validate({kind.value: one.item, "source": one.source, "overruled": one.overruled})


def _require_name(body: Item, name: str) -> None:
    if name_of(body) != name:
        raise EntryNotUsable(f"the body is of {name_of(body)[:255]}, the path of another one")


def _shown(telling: Telling) -> TellingListed:
    return TellingListed(
        binding=telling.binding.binding,
        partner=telling.partner,
        mc_service_ids=telling.binding.mc_service_ids,
        action=telling.action,
        told=not telling.pending,
        since=datetime.fromtimestamp(telling.since, UTC),
        attempts=telling.attempts,
        tried_at=_moment(telling.tried_at),
        told_at=_moment(telling.told_at),
        why=telling.why,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _actor(request: Request) -> str:
    return ",".join(sorted(client_names(request))) or "nobody"
