"""The agreements with other MC systems, as this MMS needs them: who may ask, and where their identities lie."""

from collections.abc import Iterable

from mmserver.identity import SipIdentities
from mmserver.migration.allocation import require_realms
from mmserver.migration.config import PartnerTable
from mmserver.migration.errors import ForeignMigrationManagementServer, UnknownPartner


class Agreements:
    """Looks agreements up; what none covers is refused."""

    def __init__(self, partners: Iterable[PartnerTable]) -> None:
        self._partners = {partner.name: partner for partner in partners}

    def require(self, name: str, step: str | None) -> PartnerTable:
        """Return the agreement with that system.

        Raises:
            UnknownPartner: there is none.
        """
        partner = self._partners.get(name)
        if partner is None:
            raise UnknownPartner(f"there is no agreement with {name}", step=step)
        return partner

    def require_agreed(self, system: str, identifier: str, identities: SipIdentities, step: str | None) -> None:
        """Hold a primary MMS and the set that it has lent to what was agreed with its system (step 10).

        Raises:
            UnknownPartner, ForeignMigrationManagementServer, IdentitiesOutsideRealm: it is not.
        """
        partner = self.require(system, step)
        if identifier not in (name.lower() for name in partner.migration_management_servers):
            raise ForeignMigrationManagementServer(
                f"{identifier} is no migration management server of {system}", step=step
            )
        require_realms(identities, partner.realms, step)
