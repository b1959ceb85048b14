"""HTTP of the configuration management server: CSC-4 for UEs, CSC-17 for partners' servers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from starlette.responses import Response

from mmserver.configuration import ue_configuration
from mmserver.configuration.api_admin import AuditReader, TellingReader, WithdrawalsAtMms, admin_router
from mmserver.configuration.api_examples import example
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.cross_check import CrossCheck
from mmserver.configuration.directory import Directory
from mmserver.configuration.dry_run import Progress, Trial, problem_of
from mmserver.configuration.errors import IdentityServerUnreachable, PrimarySystemNotTrusted, Refusal
from mmserver.configuration.problems import STEP_1, responses_of
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.configuration.terms import Partner
from mmserver.http.access import RouteGroup, client_names
from mmserver.http.app import create_app, no_content
from mmserver.http.limits import RateLimit
from mmserver.http.metrics import Metrics
from mmserver.http.problems import ProblemFound, install_translation
from mmserver.http.readiness import ReadinessCheck
from mmserver.http.tokens import AccessToken, KeysUnavailable, TokenRefused, TokenVerifier
from mmserver.messages import (
    Body,
    ConnectionDetailsRequest,
    ConnectionDetailsResponse,
    InitialUeConfiguration,
    PartnerAccessDryRun,
    PartnerAccessPossible,
    PartnerAccessRelease,
    PartnerAccessRequest,
    PartnerAccessResponse,
    Problem,
    SystemName,
)
from mmserver.references import CSC_4, CSC_17

ADMIN_BODY_OCTETS_MAX: Final = 1024 * 1024
"""Service areas are larger than requests of UEs."""
_CONNECTION_DETAILS: Final = "/csc-4/v1/partner-mc-system-connection-details"
_ACCESS: Final = "/csc-17/v1/partner-mc-system-access"
_XML: Final = {"content": {ue_configuration.MEDIA_TYPE: {"schema": {"type": "string"}}}}

Clock = Callable[[], float]
log = structlog.get_logger()


class DryRun(Body):
    """What a dry run found: the user could migrate there now.  A refusal says where it would end."""

    partner_mc_system: SystemName
    possible: bool = True


@dataclass(frozen=True)
class Parts:
    """What the API serves: the rules of both sides, and what the operator may look at and change."""

    directory: Directory
    verifier: TokenVerifier
    primary: PrimarySide
    partner: PartnerSide
    trial: Trial
    tellings: TellingReader
    withdrawals: WithdrawalsAtMms
    cross_check: CrossCheck
    readiness: ReadinessCheck
    audit: AuditReader | None = None
    metrics: Metrics = field(default_factory=Metrics)
    clock: Clock = time.time


def create_api(config: CmsConfig, parts: Parts) -> FastAPI:
    """Return the whole HTTP application of the CMS."""
    app = create_app(
        title="Configuration management server",
        description=f"{CSC_4} for UEs with an access token, {CSC_17} for partners' configuration management servers, "
        "and the admin API.",
        # Who may call is found out below: by token, or by certificate with a refusal that names step 8.
        groups=(
            RouteGroup.for_anybody("/csc-4"),
            RouteGroup.for_anybody("/csc-17"),
            RouteGroup.for_clients("/admin", config.admin.clients, body_octets_max=ADMIN_BODY_OCTETS_MAX),
        ),
        readiness=parts.readiness,
        body_octets_max=config.limits.body_octets_max,
        metrics=parts.metrics,
        metrics_clients=config.metrics.clients,
        beginnings=(_CONNECTION_DETAILS, _ACCESS),
        in_progress_max=config.limits.in_progress_max,
    )
    refusals = parts.metrics.counter("cms_refusals", "Requests refused, by step and problem.", "step", "problem")

    def to_problem(exc: Exception) -> Problem:
        assert isinstance(exc, Refusal)
        refusals.add(exc.step or "none", exc.name)
        log.warning("request.refused", problem=exc.name, step=exc.step, detail=exc.detail)
        return problem_of(exc)

    def on_token(exc: TokenRefused) -> ProblemFound:
        refusals.add(STEP_1, exc.name)
        return _token_problem(exc)

    install_translation(app, Refusal, to_problem)
    app.include_router(_csc_4_router(config, parts, on_token))
    app.include_router(_csc_17_router(config, parts))
    limits = config.limits
    app.include_router(
        admin_router(
            parts.directory,
            parts.trial,
            parts.tellings,
            parts.withdrawals,
            parts.cross_check,
            parts.audit,
            RateLimit(limits.partner_requests_per_s, limits.partner_burst, limits.callers_max),
            parts.clock,
            time.monotonic,
        )
    )
    return app


def _csc_4_router(config: CmsConfig, parts: Parts, on_token: Callable[[TokenRefused], ProblemFound]) -> APIRouter:
    limits, clock = config.limits, parts.clock
    seconds = parts.metrics.histogram("cms_connection_details_seconds", "Steps 1 to 13 of 10.1.X.1.", "partner")
    limit = RateLimit(limits.requests_per_s, limits.burst, limits.callers_max)

    async def admitted(request: Request, authorization: Annotated[str | None, Header()] = None) -> AccessToken:
        """Let in whom the access token names (TS 33.180 B.10)."""
        try:
            token = await parts.verifier.verify(authorization, clock())
        except TokenRefused as exc:
            limit.admit(_address(request), time.monotonic())
            raise on_token(exc) from exc
        except KeysUnavailable as exc:
            raise IdentityServerUnreachable("the keys of the identity management server cannot be fetched") from exc
        limit.admit(token.subject, time.monotonic())
        return token

    router = APIRouter(
        prefix="/csc-4/v1",
        tags=[CSC_4],
        responses=responses_of("csc-4"),
    )

    @router.post(
        "/partner-mc-system-connection-details",
        operation_id="get_partner_mc_system_connection_details",
        response_model=ConnectionDetailsResponse | DryRun,
        responses={200: _XML},
    )
    async def connection_details(
        body: Annotated[ConnectionDetailsRequest, example("ConnectionDetailsRequest")],
        token: Annotated[AccessToken, Depends(admitted)],
        accept: Annotated[str | None, Header()] = None,
        dry_run: Annotated[bool, Query(description="Find out whether it would work; nothing stays allocated.")] = False,
    ) -> Response | ConnectionDetailsResponse | DryRun:
        """Get partner MC system connection details (10.1.X.1 steps 1 to 13)."""
        now, begun = datetime.fromtimestamp(clock(), UTC), time.monotonic()
        if dry_run:
            partner = await parts.trial.run(body, token.mc_service_ids, now, Progress())
            log.info("details.tried", partner=partner.name, client=token.client_id)
            return DryRun(partner_mc_system=partner.name)
        details = await parts.primary.connection_details(body, token.mc_service_ids, now)
        seconds.observe(time.monotonic() - begun, details.partner_mc_system)
        log.info("details.sent", partner=details.partner_mc_system, client=token.client_id)
        if ue_configuration.wants_xml(accept):
            return _xml(ue_configuration.format_connection_details(details))
        return details

    @router.get(
        "/initial-ue-configuration",
        operation_id="get_initial_ue_configuration",
        response_model=InitialUeConfiguration,
        responses={200: _XML},
    )
    async def initial_ue_configuration(
        _token: Annotated[AccessToken, Depends(admitted)],
        accept: Annotated[str | None, Header()] = None,
    ) -> Response | InitialUeConfiguration:
        """Get the initial UE configuration data of this MC system (TS 24.484 §7.2)."""
        data = parts.directory.current.initial_ue_configuration
        if ue_configuration.wants_xml(accept):
            return _xml(ue_configuration.format_configuration(data))
        return data

    return router


def _csc_17_router(config: CmsConfig, parts: Parts) -> APIRouter:
    limits, partner = config.limits, parts.partner
    limit = RateLimit(limits.partner_requests_per_s, limits.partner_burst, limits.callers_max)
    given = parts.metrics.counter("cms_partner_accesses", "Accesses granted to users of a primary.", "primary")

    def now() -> datetime:
        return datetime.fromtimestamp(parts.clock(), UTC)

    def primary_system(request: Request) -> Partner:
        """Return the primary MC system whose certificate the client has: the first half of step 8."""
        found = parts.directory.current.by_client_name(client_names(request))
        if found is None:
            raise PrimarySystemNotTrusted("the client certificate names no MC system with a migration agreement")
        limit.admit(found.name, time.monotonic())
        return found

    router = APIRouter(
        prefix="/csc-17/v1/partner-mc-system-access",
        tags=[CSC_17],
        responses=responses_of("csc-17"),
    )

    @router.post("", operation_id="partner_mc_system_access")
    async def access(
        body: Annotated[PartnerAccessRequest, example("PartnerAccessRequest")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> PartnerAccessResponse:
        """Partner MC system access (10.1.X.1 steps 7 to 12); what it lends is held until it is confirmed."""
        answer = await partner.access(primary, body, now())
        given.add(primary.name)
        return answer

    @router.post("/dry-run", operation_id="dry_run_partner_mc_system_access")
    async def dry_run(
        body: Annotated[PartnerAccessDryRun, example("PartnerAccessDryRun")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> PartnerAccessPossible:
        """Say whether steps 8 to 12 would let the user in; nothing is held."""
        return await parts.trial.access(primary, body, now())

    @router.post("/confirm", operation_id="confirm_partner_mc_system_access", status_code=204)
    async def confirm(
        body: Annotated[PartnerAccessRelease, example("PartnerAccessRelease")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> Response:
        """Confirm that the answer of step 12 has come, so that what it lent does not lapse."""
        await partner.confirm(primary, body)
        return no_content()

    @router.post("/release", operation_id="release_partner_mc_system_access", status_code=204)
    async def release(
        body: Annotated[PartnerAccessRelease, example("PartnerAccessRelease")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> Response:
        """Give back what step 12 lent: it is over."""
        await partner.release(primary, body)
        return no_content()

    @router.post("/withdraw", operation_id="withdraw_partner_mc_system_access", status_code=204)
    async def withdraw(
        body: Annotated[PartnerAccessRelease, example("PartnerAccessRelease")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> Response:
        """Serve the user no more: its registration is ended, the next one refused; it may be restored."""
        await partner.withdraw(primary, body)
        return no_content()

    @router.post("/restore", operation_id="restore_partner_mc_system_access", status_code=204)
    async def restore(
        body: Annotated[PartnerAccessRelease, example("PartnerAccessRelease")],
        primary: Annotated[Partner, Depends(primary_system)],
    ) -> Response:
        """Serve the user again whom the primary had withdrawn; what the partner itself has withdrawn stays so."""
        await partner.restore(primary, body)
        return no_content()

    return router


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _token_problem(exc: TokenRefused) -> ProblemFound:
    log.warning("request.refused", problem=exc.name, step=STEP_1, detail=str(exc))
    challenge = 'Bearer realm="mc"' + (f', error="{exc.error}"' if exc.error else "")
    return ProblemFound(exc.status, exc.name, exc.title, str(exc), step=STEP_1, headers={"WWW-Authenticate": challenge})


def _xml(octets: bytes) -> Response:
    return Response(octets, media_type=ue_configuration.MEDIA_TYPE)
