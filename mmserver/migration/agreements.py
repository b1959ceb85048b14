"""The agreements with other MC systems, as this MMS needs them: who may ask, and where their identities lie.

One value for all parts of the program, replaced as a whole when the configuration file is read again.
"""

from collections.abc import Iterable

from mmserver.identity import SipIdentities
from mmserver.migration.allocation import require_realms
from mmserver.migration.config import PartnerTable
from mmserver.migration.errors import ForeignMigrationManagementServer, UnknownPartner


class Agreements:
    """Looks agreements up; what none covers is refused."""

    def __init__(self, partners: Iterable[PartnerTable]) -> None:
        self._partners = {partner.name: partner for partner in partners}

    def replace(self, partners: Iterable[PartnerTable]) -> None:
        """Know these agreements and no others from now on."""
        self._partners = {partner.name: partner for partner in partners}

    def __contains__(self, name: object) -> bool:
        """Say whether there is an agreement with that system."""
        return name in self._partners

    def all(self) -> tuple[PartnerTable, ...]:
        """Return all agreements by name."""
        return tuple(self._partners[name] for name in sorted(self._partners))

    def find(self, name: str) -> PartnerTable | None:
        """Return the agreement with that system, if there is one."""
        return self._partners.get(name)

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
