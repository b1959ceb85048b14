"""CSC-X: our own migration management server (steps 4 to 6 and 9 to 11), over mutual TLS."""

from urllib.parse import quote

from mmserver.configuration.errors import BindingNotFound, MmsUnreachable
from mmserver.configuration.peer import Peer, PeerRefused
from mmserver.configuration.refusals import refusing
from mmserver.messages import (
    Binding,
    BindingPage,
    BindingReason,
    PartnerSipIdentitiesRequest,
    PartnerSipIdentitiesResponse,
    PrimarySipIdentitiesRequest,
    PrimarySipIdentitiesResponse,
    Role,
)

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
            path = "/csc-x/v1/primary-mc-system-sip-identities"
            return await self._peer.ask("POST", path, PrimarySipIdentitiesResponse, body=request)

    async def partner_identities(self, request: PartnerSipIdentitiesRequest) -> PartnerSipIdentitiesResponse:
        """Get partner MC system SIP identities (steps 9 to 11).

        Raises:
            Refusal: at step 9, 10 or 11.
        """
        async with refusing(lambda: MmsUnreachable(step=9), answer_step=11, by=_BY):
            path = "/csc-x/v1/partner-mc-system-sip-identities"
            return await self._peer.ask("POST", path, PartnerSipIdentitiesResponse, body=request)

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

    async def changes(self, after: int, wait_s: float) -> BindingPage:
        """Return the bindings that changed after a version, waiting for some.

        Raises:
            PeerFailure: not now.
        """
        query = {"after": str(after), "wait_s": str(wait_s)}
        return await self._peer.ask("GET", "/csc-x/v1/bindings/changes", BindingPage, query=query, wait_s=wait_s)

    async def _end(self, operation: str, binding: str, reason: str) -> None:
        path = f"/csc-x/v1/bindings/{quote(binding, safe='')}/{operation}"
        async with refusing(MmsUnreachable, answer_step=12, by=_BY):
            try:
                await self._peer.ask("POST", path, Binding, body=BindingReason(reason=reason))
            except PeerRefused as exc:
                if exc.problem.status in (404, 409):
                    raise BindingNotFound("the binding is no longer held") from exc
                raise
