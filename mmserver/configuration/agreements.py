"""Migration agreements: which of our users may go where (step 3), which of a partner's may come in (step 8)."""

from collections.abc import Iterable
from datetime import datetime

from mmserver.configuration.config import Partner, User, Users
from mmserver.configuration.errors import InboundUserRefused, PrimarySystemNotTrusted
from mmserver.identity import domain_of
from mmserver.messages import IdentitySet, PartnerAccessRequest


def in_force(partner: Partner, now: datetime) -> bool:
    """Say whether the agreement is in force."""
    begun = partner.valid_from is None or partner.valid_from <= now
    return begun and (partner.valid_until is None or now < partner.valid_until)


def partners_for(users: Iterable[User], partners: Iterable[Partner], now: datetime) -> tuple[Partner, ...]:
    """Return the partners whose agreement with us covers all these users now."""
    users = tuple(users)
    return tuple(
        partner for partner in partners if in_force(partner, now) and all(_may_go(user, partner) for user in users)
    )


def check_inbound(partner: Partner, request: PartnerAccessRequest, now: datetime) -> None:
    """Step 8: check the authenticated primary MC system and its MC service user.

    Raises:
        PrimarySystemNotTrusted: no agreement in force, a foreign migration management server, or foreign identities.
        InboundUserRefused: the agreement does not cover the MC service user.
    """
    if not in_force(partner, now):
        raise PrimarySystemNotTrusted("no migration agreement with that primary MC system is in force")
    if request.migration_management_server not in partner.migration_management_servers:
        raise PrimarySystemNotTrusted("the migration management server is not one of that primary MC system")
    check_realms(partner, request.primary_mc_system_sip_identities)
    if not all(_covered(mc_service_id, partner.inbound_users) for mc_service_id in request.mc_service_ids):
        raise InboundUserRefused("the migration agreement does not cover that MC service user")


def check_realms(partner: Partner, identities: IdentitySet) -> None:
    """Check that a set lies in the realms agreed with the partner; ``tel:`` has none.

    Raises:
        PrimarySystemNotTrusted: it does not.
    """
    private, public = identities.to_identities().private_user_identity, identities.to_identities().sip_uris
    domains = {domain_of(private), *(domain_of(impu) for impu in public)}
    if not domains <= set(partner.realms):
        raise PrimarySystemNotTrusted("the SIP identities lie outside the realms agreed with that MC system")


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are set."""
    return min((time for time in times if time is not None), default=None)


def _may_go(user: User, partner: Partner) -> bool:
    chosen = user.partners == "*" or partner.name in user.partners
    return chosen and _covered(user.mc_service_id, partner.outbound_users)


def _covered(mc_service_id: str, users: Users) -> bool:
    return users == "*" or mc_service_id in users
