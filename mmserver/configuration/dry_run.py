"""Dry run: could this user migrate to that partner from here, now; if not, which step refuses, and why?

Goes through 10.1.X.1 without holding anything: the migration management servers look whether they would lend a set, the
partner is asked over CSC-17 by an operation of its own.  For the operator it also says which partners were considered.
"""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from mmserver.configuration.agreements import check_inbound_user, earliest, in_force
from mmserver.configuration.errors import STEP, NoSuitablePartner, PartnerUnreachable, PrimarySystemNotTrusted, Refusal
from mmserver.configuration.procedure import (
    CurrentCatalogue,
    MigrationManagementServer,
    PartnerSystem,
    PrimarySide,
    configuration_for,
    configuration_from,
)
from mmserver.configuration.selection import Considered
from mmserver.configuration.terms import Partner
from mmserver.http.problems import TYPE_PREFIX
from mmserver.messages import (
    Body,
    ConnectionDetailsRequest,
    IdentitySet,
    LocationInformation,
    McServiceIds,
    PartnerAccessDryRun,
    PartnerAccessPossible,
    PartnerSipIdentitiesRequest,
    PrimarySipIdentitiesRequest,
    Problem,
    SystemName,
)

LAST_STEP: Final = 13


class ConsideredPartner(Body):
    """A partner MC system that step 3 looked at."""

    partner: SystemName
    fits: bool
    why_not: str = ""
    priority: int = 0


class DryRunReport(Body):
    """What a dry run found; without ``refusal`` the user could migrate now."""

    possible: bool
    partner_mc_system: SystemName | None = None
    determined_by: Annotated[str | None, Field(examples=["request", "location"])] = None
    passed: Annotated[tuple[str, ...], Field(description="Steps that would pass.", examples=[("10.1.X.1-2",)])] = ()
    refusal: Annotated[Problem | None, Field(description="What would be answered, with its step.")] = None
    considered: tuple[ConsideredPartner, ...] = ()


class OutboundDryRun(Body):
    """Could this user of ours migrate?  Without ``default_identities`` the user's first ISIM is taken."""

    mc_service_ids: McServiceIds
    location_information: LocationInformation
    default_identities: IdentitySet | None = None
    partner_mc_system: SystemName | None = None


class InboundDryRun(Body):
    """Could this user of a primary MC system come in?"""

    primary_mc_system: SystemName
    mc_service_ids: McServiceIds
    public_user_identities: Annotated[int, Field(ge=1, le=16, description="How many the set has.")] = 1


class Trial:
    """Dry runs of both sides of one configuration management server."""

    def __init__(
        self,
        current: CurrentCatalogue,
        primary: PrimarySide,
        mms: MigrationManagementServer,
        partners: Mapping[str, PartnerSystem],
    ) -> None:
        self._current = current
        self._primary = primary
        self._mms = mms
        self._partners = partners

    async def outbound(self, asked: OutboundDryRun, now: datetime) -> DryRunReport:
        """Return how 10.1.X.1 would go for a user of ours; the operator needs no token."""
        request = ConnectionDetailsRequest(
            location_information=asked.location_information,
            mc_service_ids=asked.mc_service_ids,
            default_identities=asked.default_identities or self._first_isim(asked.mc_service_ids),
            partner_mc_system=asked.partner_mc_system,
        )
        progress = Progress()
        try:
            partner = await self.run(request, frozenset(request.mc_service_ids), now, progress)
        except Refusal as exc:
            return progress.report(exc)
        assert partner.name == progress.partner
        return progress.report()

    async def run(
        self, request: ConnectionDetailsRequest, token_mc_service_ids: Set[str], now: datetime, progress: "Progress"
    ) -> Partner:
        """Go through steps 1 to 13 and hold nothing; return the partner.

        Raises:
            Refusal: at the step that it names.
        """
        choice = self._primary.choose(request, token_mc_service_ids, now)
        partner = choice.partner
        progress.chosen(partner.name, choice.by.value, choice.considered)
        await self._mms.try_primary_identities(
            PrimarySipIdentitiesRequest(
                mc_service_ids=request.mc_service_ids,
                default_identities=request.default_identities,
                partner_mc_system=partner.name,
                valid_until=partner.valid_until,
                at_most=partner.outbound_max,
            )
        )
        progress.step = 6
        system = self._partners.get(partner.name)
        if system is None:
            raise PartnerUnreachable("the migration agreement has just ended")
        access = await system.try_access(
            PartnerAccessDryRun(
                mc_service_ids=request.mc_service_ids,
                public_user_identities=len(request.default_identities.to_identities().sip_uris) or 1,
                valid_until=partner.valid_until,
            )
        )
        progress.step = 11
        configuration_from(partner, access.initial_ue_configuration)
        progress.step = LAST_STEP
        return partner

    async def inbound(self, asked: InboundDryRun, now: datetime) -> DryRunReport:
        """Return how steps 8 to 12 would go for a user of that primary MC system."""
        progress = Progress(step=7)
        catalogue = self._current()
        primary = catalogue.partners.get(asked.primary_mc_system)
        try:
            if primary is None or not in_force(primary, now):
                raise PrimarySystemNotTrusted("no migration agreement with that primary MC system is in force")
            progress.partner = catalogue.system
            await self.access(primary, _without_set(asked), now)
        except Refusal as exc:
            return progress.report(exc)
        progress.step = 12
        return progress.report()

    async def access(self, primary: Partner, asked: PartnerAccessDryRun, now: datetime) -> PartnerAccessPossible:
        """Return what step 12 would bring beside a set (CSC-17, dry run); nothing is held.

        Raises:
            Refusal: at step 8 to 12.
        """
        catalogue = self._current()
        if not in_force(primary, now):
            raise PrimarySystemNotTrusted("no migration agreement with that primary MC system is in force")
        check_inbound_user(primary, asked.mc_service_ids, catalogue)
        await self._mms.try_partner_identities(
            PartnerSipIdentitiesRequest(
                primary_mc_system=primary.name,
                migration_management_server=next(iter(primary.migration_management_servers), "none"),
                primary_mc_system_sip_identities=_made_up_set(primary, asked.public_user_identities),
                mc_service_ids=asked.mc_service_ids,
                valid_until=earliest(asked.valid_until, primary.valid_until),
                at_most=primary.inbound_max,
            )
        )
        data = None if primary.static else configuration_for(primary, catalogue)
        return PartnerAccessPossible(initial_ue_configuration=data)

    def _first_isim(self, mc_service_ids: McServiceIds) -> IdentitySet:
        user = self._current().users.get(mc_service_ids[0])
        if user is not None and user.isims:
            return user.isims[0]
        return IdentitySet(
            private_user_identity="none@invalid.example", public_user_identities=("sip:none@invalid.example",)
        )


class Progress:
    """How far a dry run has come."""

    def __init__(self, step: int = 0) -> None:
        self.step = step
        self.first = step
        self.partner: str | None = None
        self._by: str | None = None
        self._considered: tuple[ConsideredPartner, ...] = ()

    def chosen(self, partner: str, by: str, considered: tuple[Considered, ...]) -> None:
        """Note the outcome of step 3."""
        self.step, self.partner, self._by = 3, partner, by
        self._considered = _listed(considered)

    def report(self, refusal: Refusal | None = None) -> DryRunReport:
        """Return what was found."""
        considered = self._considered
        if isinstance(refusal, NoSuitablePartner):
            considered = _listed(refusal.considered)
        return DryRunReport(
            possible=refusal is None,
            partner_mc_system=self.partner,
            determined_by=self._by,
            passed=tuple(f"{STEP}{number}" for number in range(self.first + 1, _end(self.step, refusal) + 1)),
            refusal=None if refusal is None else problem_of(refusal),
            considered=considered,
        )


def problem_of(refusal: Refusal) -> Problem:
    """Return the problem details of a refusal."""
    return Problem(
        type=TYPE_PREFIX + refusal.name,
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        step=refusal.step,
    )


def _end(step: int, refusal: Refusal | None) -> int:
    """Return the last step that passed: the refusal may name one further on than we have seen by ourselves."""
    if refusal is None or refusal.step is None:
        return step
    return max(step, int(refusal.step.removeprefix(STEP)) - 1)


def _listed(considered: tuple[Considered, ...]) -> tuple[ConsideredPartner, ...]:
    return tuple(
        ConsideredPartner(
            partner=one.partner.name, fits=not one.why_not, why_not=one.why_not, priority=one.partner.priority
        )
        for one in considered
    )


def _without_set(asked: InboundDryRun) -> PartnerAccessDryRun:
    return PartnerAccessDryRun(mc_service_ids=asked.mc_service_ids, public_user_identities=asked.public_user_identities)


def _made_up_set(primary: Partner, count: int) -> IdentitySet:
    """Return a set as that primary MC system could send it; nobody has it."""
    realm = next(iter(primary.realms), "invalid.example")
    return IdentitySet(
        private_user_identity=f"dry-run@{realm}",
        public_user_identities=tuple(f"sip:dry-run-{number}@{realm}" for number in range(1, count + 1)),
    )
