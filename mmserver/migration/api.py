"""CSC-X over HTTP: what the CMS and administrators ask of the migration management server.

Only HTTP lives here: bodies in, bodies out, refusals as problem details.  ``api_feed`` is the proxies' part.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Query, Request

from mmserver.http.access import RouteGroup
from mmserver.http.app import IN_PROGRESS_MAX, create_app
from mmserver.http.limits import RateLimit
from mmserver.http.problems import (
    TYPE_PREFIX,
    install_translation,
)
from mmserver.http.readiness import ReadinessCheck
from mmserver.messages import (
    Binding,
    BindingEntry,
    BindingPage,
    BindingReason,
    BindingState,
    IdentitySet,
    ImpiText,
    McServiceId,
    PartnerSipIdentitiesRequest,
    PartnerSipIdentitiesResponse,
    PrimarySipIdentitiesRequest,
    PrimarySipIdentitiesResponse,
    Problem,
    Role,
    SystemName,
)
from mmserver.migration.agreements import Agreements
from mmserver.migration.api_actor import (
    HANDLE_OR_NONE,
    Handle,
    actor_of,
    administrators_only,
    administrators_or_lent_here,
    lifting,
)
from mmserver.migration.api_audit import audit_router
from mmserver.migration.api_examples import body_example
from mmserver.migration.api_feed import feed_router
from mmserver.migration.api_operation import Reloading, agreements_router, reload_router
from mmserver.migration.api_provisioning import dry_run_router, provisioning_router
from mmserver.migration.api_withdrawals import standing_withdrawals_router, withdrawals_router
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.config import ClientsTable
from mmserver.migration.errors import Refusal, StoreUnavailable
from mmserver.migration.feed import Feed, to_body, to_datetime
from mmserver.migration.metrics import MmsMetrics
from mmserver.migration.problems import STATUSES, STORE_UNAVAILABLE, responses_of
from mmserver.migration.provisioning import Provisioning
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from mmserver.migration.user_withdrawals import UserWithdrawals
from mmserver.migration.withdrawal import Withdrawal
from mmserver.references import CSC_X

BEGINNINGS: Final = ("/csc-x/v1/primary-mc-system-sip-identities", "/csc-x/v1/partner-mc-system-sip-identities")
"""What a user's migration begins with at this server; confirming and releasing end it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the HTTP application serves."""

    server: MigrationManagementServer
    withdrawal: Withdrawal
    user_withdrawals: UserWithdrawals
    provisioning: Provisioning
    feed: Feed
    store: BindingStore
    metrics: MmsMetrics
    readiness: ReadinessCheck
    agreements: Agreements
    reload: Reloading


def create_api(
    parts: Parts,
    clients: ClientsTable,
    metrics_clients: tuple[str, ...] = (),
    in_progress_max: int = IN_PROGRESS_MAX,
    rate: RateLimit | None = None,
) -> FastAPI:
    """Return the whole HTTP application of the MMS; ``rate`` is for each client of CSC-X and of the feed."""
    app = create_app(
        title="Migration management server",
        description=f"{CSC_X} for the configuration management server, and the feed for the Diameter proxies.",
        groups=(
            RouteGroup.for_clients("/csc-x", clients.of_csc_x, rate=rate),
            RouteGroup.for_clients("/feed", clients.feed, rate=rate),
        ),
        readiness=parts.readiness,
        metrics=parts.metrics.families,
        metrics_clients=metrics_clients,
        beginnings=BEGINNINGS,
        in_progress_max=in_progress_max,
    )
    install_translation(app, Refusal, lambda exc: _refusal_to_problem(exc, parts.metrics))
    install_translation(app, StoreUnavailable, _unavailable_to_problem)
    app.include_router(_steps_router(parts.server))
    app.include_router(dry_run_router(parts.server))
    may_decide = clients.administrators or clients.csc_x
    administrators = [Depends(administrators_only(may_decide))]
    of_a_partner = Depends(administrators_or_lent_here(may_decide, parts.server))
    app.include_router(_entry_router(parts.server, parts.provisioning), dependencies=administrators)
    app.include_router(_bindings_router(parts.server, parts.feed))
    app.include_router(_life_router(parts.server, parts.withdrawal))
    app.include_router(_standing_router(parts.server, parts.withdrawal, may_decide), dependencies=[of_a_partner])
    app.include_router(standing_withdrawals_router(parts.user_withdrawals))
    app.include_router(withdrawals_router(parts.user_withdrawals), dependencies=administrators)
    app.include_router(provisioning_router(parts.provisioning), dependencies=administrators)
    app.include_router(audit_router(parts.store), dependencies=administrators)
    app.include_router(reload_router(parts.reload), dependencies=administrators)
    app.include_router(agreements_router(parts.agreements))
    app.include_router(feed_router(parts.feed, parts.withdrawal))
    return app


def _steps_router(server: MigrationManagementServer) -> APIRouter:
    router = APIRouter(prefix="/csc-x/v1", tags=[CSC_X])

    @router.post(
        "/primary-mc-system-sip-identities",
        operation_id="get_primary_mc_system_sip_identities",
        responses=responses_of("get_primary_mc_system_sip_identities"),
        openapi_extra=body_example("PrimarySipIdentitiesRequest"),
        status_code=200,
    )
    async def primary(body: PrimarySipIdentitiesRequest, request: Request) -> PrimarySipIdentitiesResponse:
        """Get primary MC system SIP identities (steps 4 to 6)."""
        binding = await server.get_primary_sip_identities(body, actor_of(request))
        return PrimarySipIdentitiesResponse(
            binding=binding.handle,
            primary_mc_system_sip_identities=IdentitySet.from_identities(binding.identities),
            migration_management_server=binding.migration_management_server,
            state=binding.state,
            valid_until=to_datetime(binding.valid_until),
        )

    @router.post(
        "/partner-mc-system-sip-identities",
        operation_id="get_partner_mc_system_sip_identities",
        responses=responses_of("get_partner_mc_system_sip_identities"),
        openapi_extra=body_example("PartnerSipIdentitiesRequest"),
        status_code=200,
    )
    async def partner(body: PartnerSipIdentitiesRequest, request: Request) -> PartnerSipIdentitiesResponse:
        """Get partner MC system SIP identities (steps 9 to 11)."""
        binding = await server.get_partner_sip_identities(body, actor_of(request))
        return PartnerSipIdentitiesResponse(
            binding=binding.handle,
            partner_mc_system_sip_identities=IdentitySet.from_identities(binding.identities),
            state=binding.state,
            valid_until=to_datetime(binding.valid_until),
        )

    return router


def _entry_router(server: MigrationManagementServer, provisioning: Provisioning) -> APIRouter:
    router = APIRouter(prefix="/csc-x/v1/bindings", tags=[CSC_X])

    @router.put(
        "",
        operation_id="enter_binding",
        responses=responses_of("enter_binding"),
        openapi_extra=body_example("BindingEntry"),
    )
    async def enter(body: BindingEntry, request: Request) -> Binding:
        """Enter a binding by hand, allocated at once (pre-provisioned mode)."""
        return await _shown(server, await provisioning.enter(body, actor_of(request)))

    return router


def _bindings_router(server: MigrationManagementServer, feed: Feed) -> APIRouter:
    router = APIRouter(prefix="/csc-x/v1/bindings", tags=[CSC_X])

    @router.get("", operation_id="list_bindings", responses=responses_of("list_bindings"))
    async def list_bindings(
        role: Role | None = None,
        other_mc_system: SystemName | None = None,
        private_user_identity: ImpiText | None = None,
        mc_service_id: McServiceId | None = None,
        state: BindingState | None = None,
        enabled: bool | None = None,
        after: Annotated[
            str, Query(max_length=64, pattern=HANDLE_OR_NONE, description="Continue after this binding.")
        ] = "",
    ) -> list[Binding]:
        """Return bindings by handle, 1,000 at most."""
        found = await server.find_all(
            role,
            other_mc_system,
            private_user_identity,
            after,
            mc_service_id=mc_service_id,
            state=state,
            enabled=enabled,
        )
        behind = await server.all_proxies_behind(found)
        return [to_body(binding, proxies) for binding, proxies in zip(found, behind, strict=True)]

    @router.get("/changes", operation_id="get_binding_changes", responses=responses_of("get_binding_changes"))
    async def changes(
        after: Annotated[int, Query(ge=0)] = 0,
        began: Annotated[int, Query(ge=0)] = 0,
        wait_s: Annotated[float, Query(ge=0, le=60)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> BindingPage:
        """Return the bindings that changed after a version, waiting while there are none."""
        return await feed.binding_page(after, limit, wait_s, began=began)

    @router.get("/{binding}", operation_id="get_binding", responses=responses_of("get_binding"))
    async def get(binding: Handle) -> Binding:
        """Return one binding, and which proxies do not have it in this version yet."""
        return await _shown(server, await server.get(binding))

    return router


def _life_router(server: MigrationManagementServer, withdrawal: Withdrawal) -> APIRouter:
    router = APIRouter(prefix="/csc-x/v1/bindings/{binding}", tags=[CSC_X])

    @router.post(
        "/confirm",
        operation_id="confirm_binding",
        responses=responses_of("confirm_binding"),
        openapi_extra=body_example("BindingReason"),
    )
    async def confirm(binding: Handle, body: BindingReason, request: Request) -> Binding:
        """Confirm a held binding after step 12; without it the hold lapses."""
        return await _shown(server, await server.confirm(binding, body.reason, actor_of(request)))

    @router.post(
        "/release",
        operation_id="release_binding",
        responses=responses_of("release_binding"),
        openapi_extra=body_example("BindingReason"),
    )
    async def release(binding: Handle, body: BindingReason, request: Request) -> Binding:
        """Give a binding back: the S-CSCF gets an RTR, then the set is quarantined."""
        return await _shown(server, await withdrawal.release(binding, body.reason, actor_of(request)))

    return router


def _standing_router(
    server: MigrationManagementServer, withdrawal: Withdrawal, administrators: tuple[str, ...]
) -> APIRouter:
    router = APIRouter(prefix="/csc-x/v1/bindings/{binding}", tags=[CSC_X])

    @router.post(
        "/disable",
        operation_id="disable_binding",
        responses=responses_of("disable_binding"),
        openapi_extra=body_example("BindingReason"),
    )
    async def disable(binding: Handle, body: BindingReason, request: Request) -> Binding:
        """Withdraw migration for this binding alone; its registration is ended.

        Where ``http.clients.administrators`` is set, the CMS may do so for users of a partner only, as CSC-17 wants.
        """
        may_lift = lifting(administrators, request)
        done = await withdrawal.disable(binding, body.reason, actor_of(request), may_lift=may_lift)
        return await _shown(server, done)

    @router.post(
        "/enable",
        operation_id="enable_binding",
        responses=responses_of("enable_binding"),
        openapi_extra=body_example("BindingReason"),
    )
    async def enable(binding: Handle, body: BindingReason, request: Request) -> Binding:
        """Let a disabled binding be used again; for the CMS as ``disable``, and not what an administrator disabled."""
        may_lift = lifting(administrators, request)
        done = await withdrawal.enable(binding, body.reason, actor_of(request), may_lift=may_lift)
        return await _shown(server, done)

    return router


async def _shown(server: MigrationManagementServer, binding: IdentityBinding) -> Binding:
    return to_body(binding, await server.proxies_behind(binding))


def _refusal_to_problem(exc: Exception, metrics: MmsMetrics) -> Problem:
    assert isinstance(exc, Refusal)
    metrics.refused(exc.step, exc.code)
    log.warning("request.refused", problem=exc.code, step=exc.step, detail=exc.detail)
    return Problem(
        type=TYPE_PREFIX + exc.code, title=exc.title, status=STATUSES[exc.kind], detail=exc.detail, step=exc.step
    )


def _unavailable_to_problem(exc: Exception) -> Problem:
    log.error("store.unavailable", reason=str(exc))
    problem = STORE_UNAVAILABLE
    return Problem(type=TYPE_PREFIX + problem.name, title=problem.title, status=problem.status, detail=problem.detail)
