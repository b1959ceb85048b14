"""CSC-X for administrators: the audit trail, by user, other MC system, binding and time."""

from typing import Annotated

from fastapi import APIRouter, Query

from mmserver.messages import McServiceId, Moment, SystemName
from mmserver.migration.api_actor import HANDLE_OR_NONE
from mmserver.migration.bodies import AuditRow, audit_row
from mmserver.migration.feed import to_datetime
from mmserver.migration.problems import responses_of
from mmserver.migration.store import BindingStore
from mmserver.migration.store_audit import ROWS_MAX, AuditQuery
from mmserver.references import CSC_X

ID_MAX = (1 << 63) - 1


def audit_router(store: BindingStore) -> APIRouter:
    """Return the route ``/csc-x/v1/audit``."""
    router = APIRouter(prefix="/csc-x/v1", tags=[f"{CSC_X} audit"])

    @router.get("/audit", operation_id="get_audit_trail", responses=responses_of("get_audit_trail"))
    async def audit(
        binding: Annotated[
            str | None, Query(max_length=64, pattern=HANDLE_OR_NONE, description="A binding or a withdrawal.")
        ] = None,
        mc_service_id: McServiceId | None = None,
        other_mc_system: SystemName | None = None,
        since: Annotated[Moment | None, Query(description="From this moment on.")] = None,
        until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
        after: Annotated[int, Query(ge=0, le=ID_MAX, description="Continue after the row of this id.")] = 0,
        limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = ROWS_MAX,
    ) -> list[AuditRow]:
        """Return what happened, oldest first: who, what, why.  All conditions hold together."""
        wanted = AuditQuery(
            handle=binding,
            mc_service_id=mc_service_id,
            other_mc_system=other_mc_system,
            since=None if since is None else since.timestamp(),
            until=None if until is None else until.timestamp(),
            after=after,
            limit=limit,
        )
        async with store.reading() as transaction:
            rows = await transaction.audits.find(wanted)
        return [audit_row(dict(row), to_datetime(row["at"])) for row in rows]

    return router
