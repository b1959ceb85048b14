"""Withdrawal over CSC-17 of what our migration management server has ended: disabled, released, expired.

Follows the changes of CSC-X from the beginning at every start, so nothing needs to be remembered here: telling a
partner twice does no harm.  What a partner cannot be told now is tried again until it can be or no longer applies.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from mmserver.configuration.errors import BindingNotFound, Refusal
from mmserver.configuration.peer import PeerFailure
from mmserver.configuration.procedure import PartnerSystem
from mmserver.messages import Binding, BindingPage, BindingState, PartnerAccessRelease, Role

WAIT_S: Final = 20.0
RETRY_S: Final = 2.0
PENDING_MAX: Final = 100_000

log = structlog.get_logger()


class BindingChanges(Protocol):
    """The part of CSC-X that is followed."""

    async def changes(self, after: int, wait_s: float) -> BindingPage:
        """Return bindings that changed after a version."""

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        """Find bindings by a private identity on either side."""


class Withdrawals:
    """Tells partners what has ended."""

    def __init__(self, mms: BindingChanges, partners: Mapping[str, PartnerSystem]) -> None:
        self._mms = mms
        self._partners = partners
        self._after = 0
        self._pending: dict[str, Binding] = {}

    @property
    def pending(self) -> int:
        """How many withdrawals a partner has not been told of yet."""
        return len(self._pending)

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        while True:
            # With something pending the poll is short, for it must be tried again.
            wait_s = RETRY_S if self._pending else WAIT_S
            try:
                await self.follow(wait_s)
            except PeerFailure as exc:
                log.warning("changes.unavailable", why=str(exc))
                await asyncio.sleep(RETRY_S)
            await self.tell()

    async def follow(self, wait_s: float) -> None:
        """Take in one page of changes.

        Raises:
            PeerFailure: the migration management server does not answer.
        """
        page = await self._mms.changes(self._after, wait_s)
        self._after = page.version
        for binding in page.bindings:
            if binding.role is not Role.PRIMARY or binding.other_mc_system not in self._partners:
                continue
            if not has_ended(binding):
                self._pending.pop(binding.binding, None)
            elif len(self._pending) < PENDING_MAX:
                self._pending[binding.binding] = binding

    async def tell(self) -> None:
        """Tell the partners what is pending; what fails stays pending."""
        for handle, binding in list(self._pending.items()):
            try:
                await self._withdraw(binding)
            except Refusal as exc:
                log.warning("withdrawal.deferred", binding=handle, partner=binding.other_mc_system, why=exc.name)
                continue
            self._pending.pop(handle, None)

    async def _withdraw(self, binding: Binding) -> None:
        partner, identities = binding.other_mc_system, binding.identities
        found = await self._mms.find(Role.PRIMARY, partner, identities.private_user_identity)
        if any(one.identities == identities and not has_ended(one) for one in found):
            return  # the same set is lent again: withdrawing it now would hit the new binding
        release = PartnerAccessRelease(
            migration_management_server=binding.migration_management_server,
            primary_mc_system_sip_identities=identities,
            reason="withdrawn by the primary MC system",
        )
        try:
            await self._partners[partner].release(release)
        except BindingNotFound:
            log.debug("withdrawal.needless", binding=binding.binding)
            return
        log.info("binding.withdrawn", binding=binding.binding, partner=partner)


def has_ended(binding: Binding) -> bool:
    """Say whether the partner may no longer serve what this binding lent."""
    return not binding.enabled or binding.state is BindingState.QUARANTINED
