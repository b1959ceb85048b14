"""Ends the bindings of users whom a changed catalogue no longer lets migrate, with effect in the SIP core.

Each is released at our migration management server: RTR first where it is registered here, and the partner of a user of
ours learns it over CSC-17.  ``withdrawals`` hears of it from here, as what CSC-X shows may be gone before it is read: a
quarantine may be short, or over when a server that was down comes back.

Only what an earlier catalogue of this process permitted is ended, so that bindings that were imported for users whom no
catalogue knows stay; at the start, what the file denies by name is ended.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from mmserver.configuration.agreements import covers_inbound, reason_not_in_force, reason_not_outbound
from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.errors import BindingNotFound, Refusal
from mmserver.configuration.terms import Partner
from mmserver.http.trace import trace
from mmserver.messages import Binding, BindingState, Role

RETRY_S: Final = 2.0
PAGE: Final = 1000
REASON: Final = "no longer authorised for migration"

log = structlog.get_logger()


class BindingsAtMms(Protocol):
    """The part of CSC-X that is needed."""

    async def bindings(self, query: Mapping[str, str], after: str) -> list[Binding]:
        """Return bindings by handle, 1,000 at most."""

    async def release(self, binding: str, reason: str) -> None:
        """Give a binding back."""


@dataclass(frozen=True, slots=True)
class Affected:
    """Whose bindings a change of the catalogue may end: single users of ours, whole agreements."""

    users: frozenset[str]
    partners: frozenset[str]


class Endings:
    """Follows the catalogue and ends what it no longer permits."""

    def __init__(
        self,
        mms: BindingsAtMms,
        ended: Callable[[Binding], None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        retry_s: float = RETRY_S,
    ) -> None:
        """Take the migration management server, and who hears of each binding that was ended."""
        self._mms = mms
        self._ended = ended
        self._now = now
        self._retry_s = retry_s
        self._current: Catalogue | None = None
        self._before: list[Catalogue | None] = []
        self._wake = asyncio.Event()

    def changed(self, catalogue: Catalogue) -> None:
        """Take note of the catalogue that is in force from now on."""
        self._before.append(self._current)
        self._current = catalogue
        self._wake.set()

    async def run(self) -> None:
        """End what has to end until cancelled; what fails is tried again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            before, self._before = self._before, []
            try:
                for one in before:
                    await self.carry_out(one)
            except Refusal as exc:
                log.warning("endings.deferred", why=exc.name)
                self._before = before + self._before
                await asyncio.sleep(self._retry_s)
                self._wake.set()

    async def carry_out(self, before: Catalogue | None) -> None:
        """End what ``before`` permitted and the present catalogue does not.

        Raises:
            Refusal: the migration management server does not answer; what was ended stays so.
        """
        after = self._current
        assert after is not None, "noted first"
        affected = affected_by(before, after)
        queries = [{"mc_service_id": user, "role": Role.PRIMARY.value} for user in sorted(affected.users)]
        queries += [{"other_mc_system": partner} for partner in sorted(affected.partners)]
        for query in queries:
            await self._end_among(query, before, after)

    async def _end_among(self, query: Mapping[str, str], before: Catalogue | None, after: Catalogue) -> None:
        handle = ""
        while True:
            page = await self._mms.bindings(query, handle)
            for binding in page:
                if binding.state is not BindingState.QUARANTINED and self._is_over(binding, before, after):
                    await self._end(binding)
            if len(page) < PAGE:
                return
            handle = page[-1].binding

    def _is_over(self, binding: Binding, before: Catalogue | None, after: Catalogue) -> bool:
        now = self._now()
        if permits(after, binding, now):
            return False
        if before is None:  # the start: only what the file denies by name
            return binding.role is Role.PRIMARY and any(user in after.users for user in binding.mc_service_ids)
        return permits(before, binding, None)

    async def _end(self, binding: Binding) -> None:
        with trace():
            try:
                await self._mms.release(binding.binding, REASON)
            except BindingNotFound:
                self._ended(binding)
                return  # it has ended by itself
        self._ended(binding)
        log.warning(
            "authorisation.ended", binding=binding.binding, role=binding.role.value, partner=binding.other_mc_system
        )


def permits(catalogue: Catalogue, binding: Binding, now: datetime | None) -> bool:
    """Say whether the catalogue lets this binding be; without ``now`` the validity of the agreement does not count."""
    partner = catalogue.partners.get(binding.other_mc_system)
    if partner is None:
        return False
    if now is None:
        partner = partner.model_copy(update={"valid_from": None, "valid_until": None})
    at = now or datetime.now(UTC)
    if binding.role is Role.PARTNER:
        return not reason_not_in_force(partner, at) and covers_inbound(partner, binding.mc_service_ids, catalogue)
    users = [catalogue.users.get(one) for one in binding.mc_service_ids]
    return all(
        user is not None and user.migration and not reason_not_outbound(user, partner, catalogue, at) for user in users
    )


def affected_by(before: Catalogue | None, after: Catalogue) -> Affected:
    """Return whose bindings have to be looked at; a user or an agreement that is new ends nothing."""
    if before is None:
        denied = {name for name, user in after.users.items() if not user.migration}
        return Affected(frozenset(denied), frozenset(after.partners))
    users = {name for name, user in before.users.items() if after.users.get(name) != user}
    partners = {
        name
        for name, partner in before.partners.items()
        if name not in after.partners or _whom(partner, before) != _whom(after.partners[name], after)
    }
    return Affected(frozenset(users), frozenset(partners))


def _whom(partner: Partner, catalogue: Catalogue) -> tuple[object, ...]:
    members = [catalogue.groups.get(name) for name in (*partner.outbound_groups, *partner.inbound_groups)]
    return (
        partner.outbound_users,
        partner.inbound_users,
        partner.outbound_groups,
        partner.inbound_groups,
        members,
        partner.valid_from,
        partner.valid_until,
    )
