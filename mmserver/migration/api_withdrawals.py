"""CSC-X for administrators: withdraw migration from a user or an agreement, see how far it is, restore it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from mmserver.messages import BindingReason, McServiceId, Role, SystemName
from mmserver.migration.api_actor import HANDLE, HANDLE_OR_NONE, actor_of
from mmserver.migration.api_examples import body_example
from mmserver.migration.bodies import RestoreResult, WithdrawalRequest, WithdrawalStatus
from mmserver.migration.feed import to_datetime
from mmserver.migration.problems import responses_of
from mmserver.migration.user_withdrawals import Progress, UserWithdrawals
from mmserver.references import CSC_X

Name = Annotated[str, Path(min_length=1, max_length=64, pattern=HANDLE)]


def withdrawals_router(withdrawals: UserWithdrawals) -> APIRouter:
    """Return the routes under ``/csc-x/v1/withdrawals`` that change something, for administrators."""
    router = APIRouter(prefix="/csc-x/v1/withdrawals", tags=[f"{CSC_X} withdrawal"])

    @router.post(
        "",
        operation_id="withdraw_migration",
        responses=responses_of("withdraw_migration"),
        openapi_extra=body_example("WithdrawalRequest"),
    )
    async def withdraw(body: WithdrawalRequest, request: Request) -> WithdrawalStatus:
        """Withdraw migration for a user and another MC system, or for a whole agreement; twice is once.

        Steps 5 and 10 refuse from this moment on.  For one user the answer comes when the RTRs have their outcome; an
        agreement's bindings follow at a bounded rate, and the status tells how far it is.
        """
        user = body.mc_service_id or ""
        row = await withdrawals.withdraw(body.role, body.other_mc_system, user, body.reason, actor_of(request))
        return _status(await withdrawals.get(row.id))

    @router.post(
        "/{withdrawal}/restore",
        operation_id="restore_migration",
        responses=responses_of("restore_migration"),
        openapi_extra=body_example("BindingReason"),
    )
    async def restore(withdrawal: Name, body: BindingReason, request: Request) -> RestoreResult:
        """Lift a withdrawal; what was disabled for another reason stays disabled."""
        enabled = await withdrawals.restore(withdrawal, body.reason, actor_of(request))
        return RestoreResult(withdrawal=withdrawal, enabled=enabled)

    return router


def standing_withdrawals_router(withdrawals: UserWithdrawals) -> APIRouter:
    """Return the routes that only look: the CMS shows its operator what stands."""
    router = APIRouter(prefix="/csc-x/v1/withdrawals", tags=[f"{CSC_X} withdrawal"])

    @router.get("", operation_id="list_withdrawals", responses=responses_of("list_withdrawals"))
    async def list_withdrawals(
        role: Role | None = None,
        other_mc_system: SystemName | None = None,
        mc_service_id: McServiceId | None = None,
        after: Annotated[
            str, Query(max_length=64, pattern=HANDLE_OR_NONE, description="Continue after this withdrawal.")
        ] = "",
    ) -> list[WithdrawalStatus]:
        """Return the withdrawals that stand, by name, 1,000 at most."""
        found = await withdrawals.find_all(role, other_mc_system, mc_service_id, after)
        return [_status(progress) for progress in found]

    @router.get("/{withdrawal}", operation_id="get_withdrawal", responses=responses_of("get_withdrawal"))
    async def get(withdrawal: Name) -> WithdrawalStatus:
        """Return one withdrawal and how far it is."""
        return _status(await withdrawals.get(withdrawal))

    return router


def _status(progress: Progress) -> WithdrawalStatus:
    row = progress.row
    return WithdrawalStatus(
        withdrawal=row.id,
        role=row.role,
        other_mc_system=row.other_mc_system,
        mc_service_id=row.mc_service_id or None,
        at=to_datetime(row.at),
        by=row.actor,
        reason=row.reason,
        remaining=progress.remaining,
        disabled=progress.disabled,
        pending=progress.pending,
        confirmed=progress.confirmed,
        unconfirmed=progress.unconfirmed,
        proxies_behind=progress.proxies_behind,
    )
