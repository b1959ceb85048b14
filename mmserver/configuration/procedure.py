"""10.1.X.1 as the configuration management servers carry it out: steps 1 to 13 at the primary, 8 to 12 at the partner.

Both migration management servers hold what they lend until they are told that it is kept.  We tell them after step
12, the primary's and the partner's at once; before that anything that goes wrong gives back at once what this request
held, and if we are gone the holds lapse.  A binding that an earlier request was given is never given back here.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from mmserver.configuration.agreements import check_inbound, check_realms, earliest
from mmserver.configuration.authorisation import authorised_users
from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.errors import (
    AnswerNotUsable,
    BindingNotFound,
    NoConfigurationData,
    NoSuitablePartner,
    PartnerUnreachable,
    PrimarySystemNotTrusted,
    Refusal,
)
from mmserver.configuration.selection import By, Choice, Considered, choose_partner
from mmserver.configuration.terms import Partner
from mmserver.messages import (
    Binding,
    BindingState,
    ConnectionDetailsRequest,
    ConnectionDetailsResponse,
    IdentitySet,
    InitialUeConfiguration,
    PartnerAccessDryRun,
    PartnerAccessPossible,
    PartnerAccessRelease,
    PartnerAccessRequest,
    PartnerAccessResponse,
    PartnerSipIdentitiesRequest,
    PartnerSipIdentitiesResponse,
    PrimarySipIdentitiesRequest,
    PrimarySipIdentitiesResponse,
    Role,
)

GIVE_BACK_WITHIN_S: Final = 2.0
JUST_LENT_MAX: Final = 10_000
_LIVE: Final = frozenset({BindingState.HELD, BindingState.ALLOCATED, BindingState.REGISTERED})

log = structlog.get_logger()


class MigrationManagementServer(Protocol):
    """CSC-X."""

    async def primary_identities(self, request: PrimarySipIdentitiesRequest) -> PrimarySipIdentitiesResponse:
        """Steps 4 to 6."""

    async def partner_identities(self, request: PartnerSipIdentitiesRequest) -> PartnerSipIdentitiesResponse:
        """Steps 9 to 11."""

    async def try_primary_identities(self, request: PrimarySipIdentitiesRequest) -> None:
        """Steps 4 to 6 as a dry run: refuse as they would, hold nothing."""

    async def try_partner_identities(self, request: PartnerSipIdentitiesRequest) -> None:
        """Steps 9 to 11 as a dry run: refuse as they would, hold nothing."""

    async def confirm(self, binding: str, reason: str) -> None:
        """Keep a held binding."""

    async def release(self, binding: str, reason: str) -> None:
        """Give a binding back."""

    async def disable(self, binding: str, reason: str) -> None:
        """Withdraw migration for a binding."""

    async def enable(self, binding: str, reason: str) -> None:
        """Restore migration for a binding."""

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        """Find bindings by a private identity on either side."""


class PartnerSystem(Protocol):
    """CSC-17 toward one partner."""

    async def access(self, request: PartnerAccessRequest) -> PartnerAccessResponse:
        """Steps 7 to 12."""

    async def try_access(self, request: PartnerAccessDryRun) -> PartnerAccessPossible:
        """Steps 7 to 12 as a dry run."""

    async def confirm(self, access: PartnerAccessRelease) -> None:
        """Keep what step 12 lent."""

    async def release(self, access: PartnerAccessRelease) -> None:
        """Give back what step 12 lent."""

    async def withdraw(self, access: PartnerAccessRelease) -> None:
        """Withdraw our user's migration; it may be restored."""

    async def restore(self, access: PartnerAccessRelease) -> None:
        """Restore our user's migration."""


CurrentCatalogue = Callable[[], Catalogue]


@dataclass(frozen=True, slots=True)
class _Allocated:
    """What steps 4 to 6 brought, and from whom the rest is to come."""

    partner: Partner
    system: PartnerSystem
    response: PrimarySipIdentitiesResponse

    @property
    def is_new(self) -> bool:
        """Whether it was not confirmed by an earlier request."""
        return self.response.state is BindingState.HELD

    def at_partner(self, reason: str) -> PartnerAccessRelease:
        """Return how the partner knows this binding."""
        return PartnerAccessRelease(
            migration_management_server=self.response.migration_management_server,
            primary_mc_system_sip_identities=self.response.primary_mc_system_sip_identities,
            reason=reason,
        )


class PrimarySide:
    """The configuration management server of the user's primary MC system."""

    def __init__(
        self, current: CurrentCatalogue, mms: MigrationManagementServer, partners: Mapping[str, PartnerSystem]
    ) -> None:
        self._current = current
        self._mms = mms
        self._partners = partners
        self._under_way = _OneAtATime()

    async def connection_details(
        self, request: ConnectionDetailsRequest, token_mc_service_ids: Set[str], now: datetime
    ) -> ConnectionDetailsResponse:
        """Return partner MC system connection details (steps 1 to 13).

        Raises:
            Refusal: at the step that it names; nothing new stays allocated.
        """
        partner = self.choose(request, token_mc_service_ids, now).partner
        async with self._under_way.alone(_key(request, partner)):
            return await self._through_partner(request, partner)

    def choose(self, request: ConnectionDetailsRequest, token_mc_service_ids: Set[str], now: datetime) -> Choice:
        """Return the partner, and what there was to choose from (steps 1 to 3).

        Raises:
            Refusal: at step 1, 2 or 3.
        """
        catalogue = self._current()
        users = authorised_users(request, token_mc_service_ids, catalogue.users)
        asked = request.partner_mc_system
        try:
            choice = choose_partner(asked, request.location_information, users, catalogue, now)
        except NoSuitablePartner as exc:
            log.info("partner.none", asked=asked, considered=_reasons(exc.considered))
            raise
        if choice.by is By.LOCATION and asked is not None:
            log.info(
                "partner.replaced", asked=asked, chosen=choice.partner.name, considered=_reasons(choice.considered)
            )
        log.info("partner.chosen", partner=choice.partner.name, by=choice.by.value)
        return choice

    async def _through_partner(self, request: ConnectionDetailsRequest, partner: Partner) -> ConnectionDetailsResponse:
        system = self._partners.get(partner.name)
        if system is None:  # the agreement has ended since it was chosen
            raise PartnerUnreachable("the migration agreement has just ended")
        asked = PrimarySipIdentitiesRequest(
            mc_service_ids=request.mc_service_ids,
            default_identities=request.default_identities,
            partner_mc_system=partner.name,
            valid_until=partner.valid_until,
            at_most=partner.outbound_max,
        )
        response = await self._mms.primary_identities(asked)
        allocated = _Allocated(partner, system, response)
        try:
            details = await self._step_7_to_13(request, allocated)
            await self._keep(allocated)
        except Refusal as exc:
            if allocated.is_new:
                await self._give_back(allocated, exc.name)
            raise
        return details

    async def _step_7_to_13(
        self, request: ConnectionDetailsRequest, allocated: _Allocated
    ) -> ConnectionDetailsResponse:
        access = await allocated.system.access(
            PartnerAccessRequest(
                mc_service_ids=request.mc_service_ids,
                migration_management_server=allocated.response.migration_management_server,
                primary_mc_system_sip_identities=allocated.response.primary_mc_system_sip_identities,
                valid_until=allocated.response.valid_until,
            )
        )
        _check_step_12(allocated.partner, allocated.response.primary_mc_system_sip_identities, access)
        valid_until = earliest(allocated.response.valid_until, access.valid_until)
        assert valid_until is not None
        return ConnectionDetailsResponse(
            partner_mc_system=allocated.partner.name,
            partner_mc_system_sip_identities=access.partner_mc_system_sip_identities,
            initial_ue_configuration=configuration_from(allocated.partner, access.initial_ue_configuration),
            valid_until=valid_until,
        )

    async def _keep(self, allocated: _Allocated) -> None:
        """Confirm on both sides; a partner that lost the hold meanwhile makes the request fail."""
        reason = "connection details were obtained"
        results = await asyncio.gather(
            self._mms.confirm(allocated.response.binding, reason),
            allocated.system.confirm(allocated.at_partner(reason)),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _give_back(self, allocated: _Allocated, reason: str) -> None:
        """Release on both sides now; what cannot be told lapses by itself."""
        sides = {
            "partner": allocated.system.release(allocated.at_partner(reason)),
            "primary": self._mms.release(allocated.response.binding, reason),
        }
        works = (asyncio.wait_for(work, GIVE_BACK_WITHIN_S) for work in sides.values())
        results = await asyncio.gather(*works, return_exceptions=True)
        for side, result in zip(sides, results, strict=True):
            if isinstance(result, BindingNotFound) or result is None:
                continue
            if not isinstance(result, Refusal | TimeoutError):
                raise result
            log.warning("binding.left-to-lapse", side=side, why=str(result) or type(result).__name__)
        log.info("binding.given-back", binding=allocated.response.binding, reason=reason)


class PartnerSide:
    """The configuration management server of the partner MC system."""

    def __init__(self, current: CurrentCatalogue, mms: MigrationManagementServer) -> None:
        self._current = current
        self._mms = mms
        self._just_lent: OrderedDict[tuple[str, str, IdentitySet], str] = OrderedDict()

    async def access(self, primary: Partner, request: PartnerAccessRequest, now: datetime) -> PartnerAccessResponse:
        """Return partner MC system access for the authenticated ``primary`` (steps 8 to 12).

        Raises:
            Refusal: at the step that it names.
        """
        catalogue = self._current()
        check_inbound(primary, request, catalogue, now)
        response = await self._mms.partner_identities(
            PartnerSipIdentitiesRequest(
                primary_mc_system=primary.name,
                migration_management_server=request.migration_management_server,
                primary_mc_system_sip_identities=request.primary_mc_system_sip_identities,
                mc_service_ids=request.mc_service_ids,
                valid_until=earliest(request.valid_until, primary.valid_until),
                at_most=primary.inbound_max,
            )
        )
        self._remember(primary, request, response.binding)
        return PartnerAccessResponse(
            partner_mc_system_sip_identities=response.partner_mc_system_sip_identities,
            initial_ue_configuration=None if primary.static else configuration_for(primary, catalogue),
            valid_until=response.valid_until,
        )

    async def confirm(self, primary: Partner, access: PartnerAccessRelease) -> None:
        """Keep what step 12 lent: the primary has it.

        Raises:
            BindingNotFound: the hold has lapsed, or there never was one.
        """
        key = _access_key(primary, access.migration_management_server, access.primary_mc_system_sip_identities)
        known = self._just_lent.pop(key, None)
        await self._mms.confirm(known or (await self._find(primary, access)).binding, access.reason)

    def _remember(self, primary: Partner, request: PartnerAccessRequest, binding: str) -> None:
        """Know the binding when it is confirmed a moment later; another instance asks for it."""
        identities = request.primary_mc_system_sip_identities
        self._just_lent[_access_key(primary, request.migration_management_server, identities)] = binding
        if len(self._just_lent) > JUST_LENT_MAX:
            self._just_lent.popitem(last=False)

    async def release(self, primary: Partner, access: PartnerAccessRelease) -> None:
        """Take back what step 12 lent.

        Raises:
            BindingNotFound: there is no such binding of that primary MC system.
        """
        await self._mms.release((await self._find(primary, access)).binding, access.reason)

    async def withdraw(self, primary: Partner, access: PartnerAccessRelease) -> None:
        """Serve the user no more: the S-CSCF is told, the next REGISTER is refused.

        Raises:
            BindingNotFound: there is no such binding of that primary MC system.
        """
        await self._mms.disable((await self._find(primary, access)).binding, access.reason)

    async def restore(self, primary: Partner, access: PartnerAccessRelease) -> None:
        """Serve the user again.

        Raises:
            BindingNotFound: there is no such binding of that primary MC system.
            StillWithdrawn: we have withdrawn it ourselves.
        """
        await self._mms.enable((await self._find(primary, access)).binding, access.reason)

    async def _find(self, primary: Partner, access: PartnerAccessRelease) -> Binding:
        identities = access.primary_mc_system_sip_identities
        found = await self._mms.find(Role.PARTNER, primary.name, identities.private_user_identity)
        for binding in found:
            if (
                binding.counterpart == identities
                and binding.migration_management_server.lower() == access.migration_management_server.lower()
                and binding.state in _LIVE
            ):
                return binding
        raise BindingNotFound("no binding of that primary MC system has this set of primary MC system SIP identities")


def _access_key(primary: Partner, server: str, identities: IdentitySet) -> tuple[str, str, IdentitySet]:
    return primary.name, server.lower(), identities


class _OneAtATime:
    """Requests for one key after another, so that none gives back what another was given."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks[key]
            if waiting == 1:
                del self._locks[key]
            else:
                self._locks[key] = lock, waiting - 1


def _key(request: ConnectionDetailsRequest, partner: Partner) -> str:
    identities = request.default_identities
    ids = " ".join(sorted(request.mc_service_ids))
    return f"{ids} {identities.private_user_identity} {identities.public_user_identities[0]} {partner.name}"


def _check_step_12(partner: Partner, given: IdentitySet, access: PartnerAccessResponse) -> None:
    """Check that the partner lends as many SIP URIs as it was given, in its own realms.

    Raises:
        AnswerNotUsable: it does not.
    """
    lent = access.partner_mc_system_sip_identities
    if len(lent.to_identities().sip_uris) != len(given.to_identities().sip_uris):
        raise AnswerNotUsable("the partner MC system lends another number of public user identities", step=12)
    try:
        check_realms(partner, lent)
    except PrimarySystemNotTrusted as exc:
        raise AnswerNotUsable("the partner MC system lends SIP identities outside its realms", step=12) from exc


def configuration_for(primary: Partner, catalogue: Catalogue) -> InitialUeConfiguration:
    """Return our configuration data with the services that the agreement grants the primary's users."""
    data = catalogue.initial_ue_configuration
    return data.model_copy(update={"services": tuple(one for one in data.services if one in primary.services)})


def configuration_from(partner: Partner, received: InitialUeConfiguration | None) -> InitialUeConfiguration:
    """Return what step 12 brought, else what was exchanged off-line (NOTE 2), with the services agreed here too.

    Raises:
        NoConfigurationData: neither.
        AnswerNotUsable: it is of another MC system.
    """
    data = received or partner.initial_ue_configuration
    if data is None:
        raise NoConfigurationData("the partner MC system sent none and none is configured here")
    if data.mc_system != partner.name:
        raise AnswerNotUsable("the initial UE configuration data is of another MC system", step=12)
    services = tuple(one for one in data.services if one in partner.services)
    if not services:
        raise AnswerNotUsable("the partner MC system grants no MC service of the agreement", step=12)
    return data.model_copy(update={"services": services})


def _reasons(considered: tuple[Considered, ...]) -> dict[str, str]:
    return {one.partner.name: one.why_not or "fits" for one in considered}
