"""Steps 1 and 2: is the token the user's, the ISIM the user's, the user authorised for migration (10.1.X.1)?"""

from collections.abc import Mapping, Set

from mmserver.configuration.errors import ForeignIsim, NotAuthorisedForMigration, TokenForAnotherUser
from mmserver.configuration.terms import User
from mmserver.messages import ConnectionDetailsRequest, IdentitySet


def authorised_users(
    request: ConnectionDetailsRequest, token_mc_service_ids: Set[str], users: Mapping[str, User]
) -> tuple[User, ...]:
    """Return the users behind the MC service IDs of the request, all of whom may migrate.

    Raises:
        TokenForAnotherUser: an MC service ID is not in the access token.
        NotAuthorisedForMigration: an MC service ID is unknown, or its user may not migrate.
        ForeignIsim: the default SIP identities are not registered for that MC user.
    """
    asked = dict.fromkeys(request.mc_service_ids)
    if not asked.keys() <= token_mc_service_ids:
        raise TokenForAnotherUser("the request holds MC service IDs that the access token does not")
    known = tuple(users[mc_service_id] for mc_service_id in asked if mc_service_id in users)
    if len(known) < len(asked):
        raise NotAuthorisedForMigration("the MC service user is not known here")
    if not all(_has_isim(user, request.default_identities) for user in known):
        raise ForeignIsim("the default SIP identities are not those of an ISIM of that MC service user")
    if not all(user.migration for user in known):
        raise NotAuthorisedForMigration("the MC service user is not enabled for migration")
    return known


def _has_isim(user: User, identities: IdentitySet) -> bool:
    return any(
        isim.private_user_identity == identities.private_user_identity
        and set(identities.public_user_identities) <= set(isim.public_user_identities)
        for isim in user.isims
    )
