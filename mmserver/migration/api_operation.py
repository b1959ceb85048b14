"""CSC-X for whoever operates: the configuration file read again, and which agreements are in force here."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request

from mmserver.messages import AgreementAtMms
from mmserver.migration.agreements import Agreements
from mmserver.migration.api_actor import actor_of
from mmserver.migration.bodies import ReloadResult
from mmserver.migration.config import PartnerTable
from mmserver.migration.problems import responses_of
from mmserver.migration.reload import Reloaded
from mmserver.references import CSC_X

Reloading = Callable[[str], Awaitable[Reloaded]]


def reload_router(reload: Reloading) -> APIRouter:
    """Return the route ``/csc-x/v1/reload``, for administrators."""
    router = APIRouter(prefix="/csc-x/v1", tags=[f"{CSC_X} operation"])

    @router.post("/reload", operation_id="reload", responses=responses_of("reload"))
    async def read_again(request: Request) -> ReloadResult:
        """Read the configuration file again: agreements, pools, TLS files; one that cannot be used changes nothing."""
        done = await reload(actor_of(request))
        return ReloadResult(
            partners=done.partners,
            primary_sets=done.primary_sets,
            partner_sets=done.partner_sets,
            need_restart=done.need_restart,
        )

    return router


def agreements_router(agreements: Agreements) -> APIRouter:
    """Return the route ``/csc-x/v1/agreements``: the CMS holds an agreement of its own against it."""
    router = APIRouter(prefix="/csc-x/v1", tags=[f"{CSC_X} operation"])

    @router.get("/agreements", operation_id="list_agreements", responses=responses_of("list_agreements"))
    async def list_them() -> list[AgreementAtMms]:
        """Return the agreements in force at this migration management server."""
        return [_shown(one) for one in agreements.all()]

    return router


def _shown(partner: PartnerTable) -> AgreementAtMms:
    return AgreementAtMms(
        name=partner.name,
        realms=partner.realms,
        migration_management_servers=partner.migration_management_servers,
        services=partner.services,
    )
