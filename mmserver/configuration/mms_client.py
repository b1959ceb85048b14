"""CSC-X: our own migration management server (steps 4 to 6 and 9 to 11), over mutual TLS."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from mmserver.configuration.errors import (
    AnswerNotUsable,
    BindingNotFound,
    MmsUnreachable,
    StillWithdrawn,
    WithdrawalsForAdministrators,
)
from mmserver.configuration.peer import Peer, PeerRefused
from mmserver.configuration.refusals import passed_on, refusing
from mmserver.http.problems import CLIENT_NOT_ALLOWED, TYPE_PREFIX
from mmserver.messages import (
    AgreementAtMms,
    Binding,
    BindingPage,
    BindingReason,
    DryRunAnswer,
    PartnerSipIdentitiesRequest,
    PartnerSipIdentitiesResponse,
    PrimarySipIdentitiesRequest,
    PrimarySipIdentitiesResponse,
    Problem,
    Restored,
    Role,
    StandingWithdrawal,
)

_PRIMARY: Final = "/csc-x/v1/primary-mc-system-sip-identities"
_PARTNER: Final = "/csc-x/v1/partner-mc-system-sip-identities"
_AGREEMENTS: Final = "/csc-x/v1/agreements"
_WITHDRAWALS: Final = "/csc-x/v1/withdrawals"
_BY = "the migration management server"


class MmsClient:
    """What we ask the migration management server; every refusal names the step."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def primary_identities(self, request: PrimarySipIdentitiesRequest) -> PrimarySipIdentitiesResponse:
        """Get primary MC system SIP identities (steps 4 to 6).

        Raises:
            Refusal: at step 4, 5 or 6.
        """
        async with refusing(lambda: MmsUnreachable(step=4), answer_step=6, by=_BY):
            return await self._peer.ask("POST", _PRIMARY, PrimarySipIdentitiesResponse, body=request)

    async def partner_identities(self, request: PartnerSipIdentitiesRequest) -> PartnerSipIdentitiesResponse:
        """Get partner MC system SIP identities (steps 9 to 11).

        Raises:
            Refusal: at step 9, 10 or 11.
        """
        async with refusing(lambda: MmsUnreachable(step=9), answer_step=11, by=_BY):
            return await self._peer.ask("POST", _PARTNER, PartnerSipIdentitiesResponse, body=request)

    async def try_primary_identities(self, request: PrimarySipIdentitiesRequest) -> None:
        """Find out whether steps 4 to 6 would bring a set; nothing is held.

        Raises:
            Refusal: at step 4, 5 or 6.
        """
        async with refusing(lambda: MmsUnreachable(step=4), answer_step=6, by=_BY):
            answer = await self._peer.ask("POST", f"{_PRIMARY}/dry-run", DryRunAnswer, body=request)
        _raise_if_refused(answer, answer_step=6)

    async def try_partner_identities(self, request: PartnerSipIdentitiesRequest) -> None:
        """Find out whether steps 9 to 11 would bring a set; nothing is held.

        Raises:
            Refusal: at step 9, 10 or 11.
        """
        async with refusing(lambda: MmsUnreachable(step=9), answer_step=11, by=_BY):
            answer = await self._peer.ask("POST", f"{_PARTNER}/dry-run", DryRunAnswer, body=request)
        _raise_if_refused(answer, answer_step=11)

    async def confirm(self, binding: str, reason: str) -> None:
        """Confirm a held binding, so that it does not lapse.

        Raises:
            Refusal: it is gone, or the server cannot be reached.
        """
        await self._end("confirm", binding, reason)

    async def release(self, binding: str, reason: str) -> None:
        """Give a binding back.

        Raises:
            Refusal: it is gone, or the server cannot be reached.
        """
        await self._end("release", binding, reason)

    async def disable(self, binding: str, reason: str) -> None:
        """Withdraw migration for a binding.

        Raises:
            Refusal: it is gone, or the server cannot be reached.
        """
        await self._end("disable", binding, reason)

    async def enable(self, binding: str, reason: str) -> None:
        """Restore migration for a binding.

        Raises:
            StillWithdrawn: a withdrawal of our own stands over it.
            Refusal: it is gone, or the server cannot be reached.
        """
        await self._end("enable", binding, reason)

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        """Return the bindings with that system in which the private identity stands on either side.

        Raises:
            Refusal: the server cannot be reached or its answer not be used.
        """
        query = {
            "role": role.value,
            "other_mc_system": other_mc_system,
            "private_user_identity": private_user_identity,
        }
        async with refusing(lambda: MmsUnreachable(step=9), answer_step=11, by=_BY):
            return await self._peer.ask("GET", "/csc-x/v1/bindings", list[Binding], query=query)

    async def bindings(self, query: Mapping[str, str], after: str) -> list[Binding]:
        """Return bindings that the query names, by handle, 1,000 at most.

        Raises:
            Refusal: the server cannot be reached or its answer not be used.
        """
        asked = {**query, **({"after": after} if after else {})}
        async with refusing(MmsUnreachable, answer_step=None, by=_BY):
            return await self._peer.ask("GET", "/csc-x/v1/bindings", list[Binding], query=asked)

    async def changes(self, after: int, began: int, wait_s: float) -> BindingPage:
        """Return the bindings that changed after a version, waiting for some; ``began`` is that of the last page.

        Raises:
            PeerFailure: not now.
        """
        query = {"after": str(after), "began": str(began), "wait_s": str(wait_s)}
        return await self._peer.ask("GET", "/csc-x/v1/bindings/changes", BindingPage, query=query, wait_s=wait_s)

    async def agreements(self) -> list[AgreementAtMms]:
        """Return the agreements in force at the server.

        Raises:
            PeerFailure: one of its three kinds; who asks goes on without.
        """
        return await self._peer.ask("GET", _AGREEMENTS, list[AgreementAtMms])

    async def withdraw(self, request: BaseModel) -> StandingWithdrawal:
        """Withdraw migration of a user or a whole agreement.

        Raises:
            WithdrawalsForAdministrators: it takes them from its administrators only.
            Refusal: it knows no such agreement, or cannot be reached.
        """
        async with refusing(MmsUnreachable, answer_step=None, by=_BY), _deciding():
            return await self._peer.ask("POST", _WITHDRAWALS, StandingWithdrawal, body=request)

    async def standing(self, other_mc_system: str | None) -> list[StandingWithdrawal]:
        """Return the withdrawals that stand.

        Raises:
            Refusal: the server cannot be reached.
        """
        query = {"other_mc_system": other_mc_system} if other_mc_system else None
        async with refusing(MmsUnreachable, answer_step=None, by=_BY):
            return await self._peer.ask("GET", _WITHDRAWALS, list[StandingWithdrawal], query=query)

    async def lift(self, withdrawal: str, reason: str) -> Restored:
        """Lift a withdrawal.

        Raises:
            WithdrawalsForAdministrators: as ``withdraw``.
            Refusal: there is none of that name, or the server cannot be reached.
        """
        path = f"{_WITHDRAWALS}/{quote(withdrawal, safe='')}/restore"
        async with refusing(MmsUnreachable, answer_step=None, by=_BY), _deciding():
            return await self._peer.ask("POST", path, Restored, body=BindingReason(reason=reason))

    async def _end(self, operation: str, binding: str, reason: str) -> None:
        path = f"/csc-x/v1/bindings/{quote(binding, safe='')}/{operation}"
        async with refusing(MmsUnreachable, answer_step=12, by=_BY):
            try:
                await self._peer.ask("POST", path, Binding, body=BindingReason(reason=reason))
            except PeerRefused as exc:
                if exc.problem.type == TYPE_PREFIX + StillWithdrawn.name:
                    raise StillWithdrawn("the partner MC system has withdrawn it too") from exc
                if exc.problem.status in (404, 409):
                    raise BindingNotFound("the binding is no longer held") from exc
                raise


@asynccontextmanager
async def _deciding() -> AsyncIterator[None]:
    try:
        yield
    except PeerRefused as exc:
        if exc.problem.type == TYPE_PREFIX + CLIENT_NOT_ALLOWED.name:
            raise WithdrawalsForAdministrators from exc
        raise


def _raise_if_refused(answer: DryRunAnswer, *, answer_step: int) -> None:
    if answer.possible:
        return
    problem = Problem(
        type=answer.type or "", title=answer.title or "", status=409, detail=answer.detail or "", step=answer.step
    )
    raise passed_on(problem, _BY) or AnswerNotUsable(f"{_BY} refused a dry run without a reason", step=answer_step)
