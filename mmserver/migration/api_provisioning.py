"""CSC-X for administrators: bindings in and out as JSON lines, and dry runs of steps 5 and 10."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from mmserver.http.problems import TYPE_PREFIX, ProblemFound
from mmserver.messages import (
    IdentitySet,
    McServiceId,
    PartnerSipIdentitiesRequest,
    PrimarySipIdentitiesRequest,
    Role,
    SystemName,
)
from mmserver.migration.allocation import PARTNER_STEP, PRIMARY_STEP
from mmserver.migration.api_actor import actor_of
from mmserver.migration.api_examples import EXAMPLES, body_example
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.bodies import DryRunResult, ImportResult, RefusedImport
from mmserver.migration.errors import Refusal
from mmserver.migration.problems import responses_of
from mmserver.migration.provisioning import LINES_MAX, ImportReport, Outcome, Provisioning
from mmserver.migration.server import MigrationManagementServer
from mmserver.references import CSC_X

JSON_LINES: Final = "application/x-ndjson"
LINES_SCHEMA: Final = {
    JSON_LINES: {
        "schema": {"type": "string", "description": "One BindingEntry a line."},
        "example": json.dumps(EXAMPLES["BindingEntry"]),
    }
}
LINES_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": LINES_SCHEMA}}
EXPORT: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "JSON lines", "content": LINES_SCHEMA}}


def provisioning_router(provisioning: Provisioning) -> APIRouter:
    """Return the routes of import and export."""
    router = APIRouter(prefix="/csc-x/v1", tags=[f"{CSC_X} provisioning"])

    @router.post(
        "/import", operation_id="import_bindings", responses=responses_of("import_bindings"), openapi_extra=LINES_BODY
    )
    async def import_bindings(
        request: Request,
        dry_run: Annotated[bool, Query(description="Write nothing, report what would be done.")] = False,
        first_line: Annotated[
            int, Query(ge=1, le=1 << 31, description="Number of the first line, for the report.")
        ] = 1,
    ) -> ImportResult:
        """Enter one binding a line, as ``export`` writes them; a line that is refused hinders no other.

        The same lines again change nothing.  A binding that is disabled stays so.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_LINES:
            raise ProblemFound(415, "unsupported-media-type", "Unsupported Media Type", f"wanted {JSON_LINES}")
        lines = _lines_of(await request.body())
        report = await provisioning.import_lines(lines, first_line, actor_of(request), dry_run=dry_run)
        return _import_result(report, dry_run=dry_run)

    @router.get(
        "/export",
        operation_id="export_bindings",
        responses=EXPORT | responses_of("export_bindings"),
        response_class=StreamingResponse,
    )
    async def export_bindings(
        role: Role | None = None,
        other_mc_system: SystemName | None = None,
        mc_service_id: McServiceId | None = None,
    ) -> StreamingResponse:
        """Return the bindings that are allocated or registered, one JSON object a line."""
        lines = provisioning.export_lines(role, other_mc_system, mc_service_id)
        # The first line is read before the answer begins, so that a store that fails is a problem and not a cut body.
        first = await anext(lines, None)
        return StreamingResponse(_with_ends(first, lines), media_type=JSON_LINES)

    return router


def dry_run_router(server: MigrationManagementServer) -> APIRouter:
    """Return the dry runs of steps 5 and 10."""
    router = APIRouter(prefix="/csc-x/v1", tags=[f"{CSC_X} dry run"])

    @router.post(
        "/primary-mc-system-sip-identities/dry-run",
        operation_id="try_primary_mc_system_sip_identities",
        responses=responses_of("try_primary_mc_system_sip_identities"),
        openapi_extra=body_example("PrimarySipIdentitiesRequest"),
    )
    async def primary(
        body: PrimarySipIdentitiesRequest,
    ) -> DryRunResult:
        """Say whether step 5 would lend this user a set now, and if not, why not."""
        try:
            return _possible(PRIMARY_STEP, await server.try_primary(body))
        except Refusal as exc:
            return _refused(PRIMARY_STEP, exc)

    @router.post(
        "/partner-mc-system-sip-identities/dry-run",
        operation_id="try_partner_mc_system_sip_identities",
        responses=responses_of("try_partner_mc_system_sip_identities"),
        openapi_extra=body_example("PartnerSipIdentitiesRequest"),
    )
    async def partner(
        body: PartnerSipIdentitiesRequest,
    ) -> DryRunResult:
        """Say whether step 10 would lend this inbound user a set now, and if not, why not."""
        try:
            return _possible(PARTNER_STEP, await server.try_partner(body))
        except Refusal as exc:
            return _refused(PARTNER_STEP, exc)

    return router


def _lines_of(octets: bytes) -> list[str]:
    try:
        lines = octets.decode("utf-8").split("\n")
    except UnicodeDecodeError as exc:
        raise ProblemFound(422, "invalid-request", "The request is not valid", f"not UTF-8: {exc.reason}") from exc
    if lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > LINES_MAX:
        detail = f"{len(lines)} lines, at most {LINES_MAX} in one request"
        raise ProblemFound(422, "invalid-request", "The request is not valid", detail)
    return lines


async def _with_ends(first: str | None, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    if first is not None:
        yield first + "\n"
    async for line in rest:
        yield line + "\n"


def _import_result(report: ImportReport, *, dry_run: bool) -> ImportResult:
    return ImportResult(
        dry_run=dry_run,
        lines=report.lines,
        entered=report.outcomes[Outcome.ENTERED],
        changed=report.outcomes[Outcome.CHANGED],
        unchanged=report.outcomes[Outcome.UNCHANGED],
        refused=tuple(
            RefusedImport(line=one.line, type=TYPE_PREFIX + one.code, detail=one.detail) for one in report.refused
        ),
    )


def _possible(step: str, binding: IdentityBinding | None) -> DryRunResult:
    if binding is None:
        return DryRunResult(possible=True, step=step)
    identities = IdentitySet.from_identities(binding.identities)
    return DryRunResult(possible=True, step=step, binding=binding.handle, identities=identities)


def _refused(step: str, exc: Refusal) -> DryRunResult:
    return DryRunResult(
        possible=False, step=exc.step or step, type=TYPE_PREFIX + exc.code, title=exc.title, detail=exc.detail
    )
