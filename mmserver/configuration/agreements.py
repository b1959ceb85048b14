"""Migration agreements: which of our users may go where (step 3), which of a partner's may come in (step 8)."""

from collections.abc import Iterable
from datetime import datetime

from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.errors import InboundUserRefused, OwnMcServiceId, PrimarySystemNotTrusted
from mmserver.configuration.terms import Partner, User, Users
from mmserver.identity import domain_of
from mmserver.messages import IdentitySet, McServiceIds, PartnerAccessRequest


def in_force(partner: Partner, now: datetime) -> bool:
    """Say whether the agreement is in force."""
    return not reason_not_in_force(partner, now)


def reason_not_in_force(partner: Partner, now: datetime) -> str:
    """Return why the agreement is not in force, or an empty text."""
    if partner.valid_from is not None and now < partner.valid_from:
        return f"the agreement is in force from {partner.valid_from.isoformat()}"
    if partner.valid_until is not None and now >= partner.valid_until:
        return f"the agreement was in force until {partner.valid_until.isoformat()}"
    return ""


def reason_not_outbound(user: User, partner: Partner, catalogue: Catalogue, now: datetime) -> str:
    """Return why one of our users may not migrate to the partner now, or an empty text."""
    reason = reason_not_in_force(partner, now)
    if reason:
        return reason
    if user.partners != "*" and partner.name not in user.partners:
        return "it is not among the user's partners"
    if not _covered(user.mc_service_id, partner.outbound_users, partner.outbound_groups, catalogue):
        return "the agreement does not cover the user"
    return ""


def check_inbound(partner: Partner, request: PartnerAccessRequest, catalogue: Catalogue, now: datetime) -> None:
    """Step 8: check the authenticated primary MC system and its MC service user.

    Raises:
        PrimarySystemNotTrusted: no agreement in force, a foreign migration management server, or foreign identities.
        OwnMcServiceId: the MC service user is said to be one of ours.
        InboundUserRefused: the agreement does not cover the MC service user.
    """
    if not in_force(partner, now):
        raise PrimarySystemNotTrusted("no migration agreement with that primary MC system is in force")
    servers = {name.lower() for name in partner.migration_management_servers}
    if request.migration_management_server.lower() not in servers:
        raise PrimarySystemNotTrusted("the migration management server is not one of that primary MC system")
    check_realms(partner, request.primary_mc_system_sip_identities)
    check_inbound_user(partner, request.mc_service_ids, catalogue)


def check_inbound_user(partner: Partner, mc_service_ids: McServiceIds, catalogue: Catalogue) -> None:
    """The second half of step 8: the MC service user.

    Raises:
        OwnMcServiceId: the MC service user is said to be one of ours.
        InboundUserRefused: the agreement does not cover the MC service user.
    """
    if any(catalogue.is_ours(mc_service_id) for mc_service_id in mc_service_ids):
        raise OwnMcServiceId("a partner MC system may not name an MC service ID of this system")
    if not covers_inbound(partner, mc_service_ids, catalogue):
        raise InboundUserRefused("the migration agreement does not cover that MC service user")


def covers_inbound(partner: Partner, mc_service_ids: McServiceIds, catalogue: Catalogue) -> bool:
    """Say whether the agreement covers all these MC service IDs of the partner's."""
    return all(_covered(one, partner.inbound_users, partner.inbound_groups, catalogue) for one in mc_service_ids)


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


def _covered(mc_service_id: str, users: Users, groups: Iterable[str], catalogue: Catalogue) -> bool:
    if users == "*" or mc_service_id in users:
        return True
    return any(mc_service_id in catalogue.groups.get(group, ()) for group in groups)
