"""HTTP of the configuration management server: CSC-4 for UEs, CSC-17 for partners' servers."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from starlette.responses import Response

from mmserver.configuration import ue_configuration
from mmserver.configuration.config import CmsConfig, Partner
from mmserver.configuration.errors import (
    IdentityServerUnreachable,
    PrimarySystemNotTrusted,
    Refusal,
)
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.http.access import RouteGroup, client_names
from mmserver.http.app import create_app, no_content
from mmserver.http.limits import RateLimit
from mmserver.http.problems import TYPE_PREFIX, ProblemFound, install_translation, problem_documentation
from mmserver.http.tokens import AccessToken, KeysUnavailable, TokenRefused, TokenVerifier
from mmserver.messages import (
    Body,
    ConnectionDetailsRequest,
    ConnectionDetailsResponse,
    InitialUeConfiguration,
    PartnerAccessRelease,
    PartnerAccessRequest,
    PartnerAccessResponse,
    Problem,
    SystemName,
)
from mmserver.references import CSC_4, CSC_17

STEP_1: Final = "10.1.X.1-1"
_XML: Final = {"content": {ue_configuration.MEDIA_TYPE: {"schema": {"type": "string"}}}}

Clock = Callable[[], float]
log = structlog.get_logger()


class DryRun(Body):
    """What a dry run found: the user could migrate there now.  A refusal says where it would end."""

    partner_mc_system: SystemName
    possible: bool = True


def create_api(
    config: CmsConfig,
    verifier: TokenVerifier,
    primary: PrimarySide,
    partner: PartnerSide,
    readiness: Callable[[], Awaitable[str | None]],
    clock: Clock = time.time,
) -> FastAPI:
    """Return the whole HTTP application of the CMS."""
    app = create_app(
        title="Configuration management server",
        description=f"{CSC_4} for UEs with an access token, {CSC_17} for partners' configuration management servers.",
        # Who may call is found out below: by token, or by certificate with a refusal that names step 8.
        groups=(RouteGroup.for_anybody("/csc-4"), RouteGroup.for_anybody("/csc-17")),
        readiness=readiness,
        body_octets_max=config.limits.body_octets_max,
    )
    install_translation(app, Refusal, _refusal_to_problem)
    app.include_router(_csc_4_router(config, verifier, primary, clock))
    app.include_router(_csc_17_router(config, partner, clock))
    return app


def _csc_4_router(config: CmsConfig, verifier: TokenVerifier, primary: PrimarySide, clock: Clock) -> APIRouter:
    limits = config.limits
    limit = RateLimit(limits.requests_per_s, limits.burst, limits.callers_max)

    async def admitted(request: Request, authorization: Annotated[str | None, Header()] = None) -> AccessToken:
        """Let in whom the access token names (TS 33.180 B.10)."""
        try:
            token = await verifier.verify(authorization, clock())
        except TokenRefused as exc:
            limit.admit(_address(request), time.monotonic())
            raise _token_problem(exc) from exc
        except KeysUnavailable as exc:
            raise IdentityServerUnreachable("the keys of the identity management server cannot be fetched") from exc
        limit.admit(token.subject, time.monotonic())
        return token

    router = APIRouter(
        prefix="/csc-4/v1",
        tags=[CSC_4],
        responses=problem_documentation(400, 401, 403, 404, 409, 413, 422, 429, 502, 503, 504),
    )

    @router.post(
        "/partner-mc-system-connection-details",
        operation_id="get_partner_mc_system_connection_details",
        response_model=ConnectionDetailsResponse | DryRun,
        responses={200: _XML},
    )
    async def connection_details(
        body: ConnectionDetailsRequest,
        token: Annotated[AccessToken, Depends(admitted)],
        accept: Annotated[str | None, Header()] = None,
        dry_run: Annotated[bool, Query(description="Find out whether it would work; nothing stays allocated.")] = False,
    ) -> Response | ConnectionDetailsResponse | DryRun:
        """Get partner MC system connection details (10.1.X.1 steps 1 to 13)."""
        now = datetime.fromtimestamp(clock(), UTC)
        details = await primary.connection_details(body, token.mc_service_ids, now, keep=not dry_run)
        log.info("details.sent", partner=details.partner_mc_system, client=token.client_id, dry_run=dry_run)
        if dry_run:
            return DryRun(partner_mc_system=details.partner_mc_system)
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
        if ue_configuration.wants_xml(accept):
            return _xml(ue_configuration.format_configuration(config.initial_ue_configuration))
        return config.initial_ue_configuration

    return router


def _csc_17_router(config: CmsConfig, partner: PartnerSide, clock: Clock) -> APIRouter:
    limits = config.limits
    limit = RateLimit(limits.partner_requests_per_s, limits.partner_burst, limits.callers_max)
    partners = {one.client_name.lower(): one for one in config.partners}

    def primary_system(request: Request) -> Partner:
        """Return the primary MC system whose certificate the client has: the first half of step 8."""
        found = [partners[name] for name in client_names(request) if name in partners]
        if len(found) != 1:
            raise PrimarySystemNotTrusted("the client certificate names no MC system with a migration agreement")
        limit.admit(found[0].name, time.monotonic())
        return found[0]

    router = APIRouter(
        prefix="/csc-17/v1/partner-mc-system-access",
        tags=[CSC_17],
        responses=problem_documentation(400, 403, 404, 409, 413, 422, 429, 502, 503),
    )

    @router.post("", operation_id="partner_mc_system_access")
    async def access(
        body: PartnerAccessRequest, primary: Annotated[Partner, Depends(primary_system)]
    ) -> PartnerAccessResponse:
        """Partner MC system access (10.1.X.1 steps 7 to 12); what it lends is held until it is confirmed."""
        return await partner.access(primary, body, datetime.fromtimestamp(clock(), UTC))

    @router.post("/confirm", operation_id="confirm_partner_mc_system_access", status_code=204)
    async def confirm(body: PartnerAccessRelease, primary: Annotated[Partner, Depends(primary_system)]) -> Response:
        """Confirm that the answer of step 12 has come, so that what it lent does not lapse."""
        await partner.confirm(primary, body)
        return no_content()

    @router.post("/release", operation_id="release_partner_mc_system_access", status_code=204)
    async def release(body: PartnerAccessRelease, primary: Annotated[Partner, Depends(primary_system)]) -> Response:
        """Give back what step 12 lent, or withdraw it."""
        await partner.release(primary, body)
        return no_content()

    return router


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _token_problem(exc: TokenRefused) -> ProblemFound:
    log.warning("request.refused", problem=exc.name, step=STEP_1, detail=str(exc))
    challenge = 'Bearer realm="mc"' + (f', error="{exc.error}"' if exc.error else "")
    return ProblemFound(exc.status, exc.name, exc.title, str(exc), step=STEP_1, headers={"WWW-Authenticate": challenge})


def _refusal_to_problem(exc: Exception) -> Problem:
    assert isinstance(exc, Refusal)
    log.warning("request.refused", problem=exc.name, step=exc.step, detail=exc.detail)
    return Problem(type=TYPE_PREFIX + exc.name, title=exc.title, status=exc.status, detail=exc.detail, step=exc.step)


def _xml(octets: bytes) -> Response:
    return Response(octets, media_type=ue_configuration.MEDIA_TYPE)
