"""CSC-17 as the primary: a partner's configuration management server (steps 7 and 12), over mutual TLS."""

from mmserver.configuration.errors import BindingNotFound, PartnerUnreachable, StillWithdrawn
from mmserver.configuration.peer import Peer, PeerRefused
from mmserver.configuration.refusals import refusing
from mmserver.http.problems import TYPE_PREFIX
from mmserver.messages import (
    PartnerAccessDryRun,
    PartnerAccessPossible,
    PartnerAccessRelease,
    PartnerAccessRequest,
    PartnerAccessResponse,
)

_PATH = "/csc-17/v1/partner-mc-system-access"


class PartnerClient:
    """What we ask one partner."""

    def __init__(self, name: str, peer: Peer) -> None:
        self._by = f"the partner MC system {name}"
        self._peer = peer

    async def access(self, request: PartnerAccessRequest) -> PartnerAccessResponse:
        """Ask for partner MC system access (steps 7 to 12).

        Raises:
            Refusal: at step 7 to 12.
        """
        async with refusing(PartnerUnreachable, answer_step=12, by=self._by):
            return await self._peer.ask("POST", _PATH, PartnerAccessResponse, body=request)

    async def try_access(self, request: PartnerAccessDryRun) -> PartnerAccessPossible:
        """Ask whether the user could have partner MC system access; nothing is held there.

        Raises:
            Refusal: at step 7 to 12.
        """
        async with refusing(PartnerUnreachable, answer_step=12, by=self._by):
            return await self._peer.ask("POST", f"{_PATH}/dry-run", PartnerAccessPossible, body=request)

    async def confirm(self, access: PartnerAccessRelease) -> None:
        """Tell the partner that step 12 has come and we keep what it lent.

        Raises:
            Refusal: it no longer holds it, or cannot be reached.
        """
        await self._end("confirm", access)

    async def release(self, access: PartnerAccessRelease) -> None:
        """Give back what step 12 lent, or withdraw it.

        Raises:
            Refusal: it has no such binding, or cannot be reached.
        """
        await self._end("release", access)

    async def withdraw(self, access: PartnerAccessRelease) -> None:
        """Have the partner serve our user no more.

        Raises:
            Refusal: it has no such binding, or cannot be reached.
        """
        await self._end("withdraw", access)

    async def restore(self, access: PartnerAccessRelease) -> None:
        """Have the partner serve our user again.

        Raises:
            StillWithdrawn: the partner has withdrawn it too.
            Refusal: it has no such binding, or cannot be reached.
        """
        await self._end("restore", access)

    async def _end(self, operation: str, access: PartnerAccessRelease) -> None:
        async with refusing(PartnerUnreachable, answer_step=12, by=self._by):
            try:
                await self._peer.tell("POST", f"{_PATH}/{operation}", access)
            except PeerRefused as exc:
                if exc.problem.type == TYPE_PREFIX + StillWithdrawn.name:
                    raise StillWithdrawn("the partner MC system has withdrawn it too") from exc
                if exc.problem.status == 404:
                    raise BindingNotFound("the partner MC system has no such binding") from exc
                raise
