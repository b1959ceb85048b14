"""Step 3: which partner MC system?  The one asked for if an agreement covers the user, else by location.

A cell says more than a tracking area, and that more than coordinates; the agreement's priority comes before all.  Why
each partner did not fit is for the operator's log and dry run; the UE learns that none did.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from mmserver.configuration.agreements import reason_not_outbound
from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.errors import NoSuitablePartner
from mmserver.configuration.terms import Partner, User
from mmserver.messages import LocationInformation


class By(Enum):
    """What determined the partner."""

    REQUEST = "request"
    LOCATION = "location"


@dataclass(frozen=True, slots=True)
class Considered:
    """A partner that was looked at: whether its agreement covers the user, and how exactly it holds the location."""

    partner: Partner
    covers: bool
    rank: int | None
    why_not: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The partner of step 3, why this one, and what there was to choose from."""

    partner: Partner
    by: By
    considered: tuple[Considered, ...]


def choose_partner(
    requested: str | None,
    location: LocationInformation,
    users: Iterable[User],
    catalogue: Catalogue,
    now: datetime,
) -> Choice:
    """Return the partner MC system to migrate to.

    Raises:
        NoSuitablePartner: none fits; the refusal holds what was considered.
    """
    considered = consider(location, tuple(users), catalogue, now)
    covering = [one for one in considered if one.covers]
    for one in covering:
        if one.partner.name == requested:
            return Choice(one.partner, By.REQUEST, considered)
    if not covering:
        raise NoSuitablePartner("no migration agreement in force covers the MC service user", considered=considered)
    ranked = [
        (one.partner.priority, one.rank, one.partner.name, one.partner) for one in covering if one.rank is not None
    ]
    if not ranked:
        raise NoSuitablePartner(
            "no partner MC system with a migration agreement for the user serves that location", considered=considered
        )
    return Choice(min(ranked, key=lambda one: one[:3])[3], By.LOCATION, considered)


def consider(
    location: LocationInformation, users: tuple[User, ...], catalogue: Catalogue, now: datetime
) -> tuple[Considered, ...]:
    """Return every partner, by name, and why it does not fit."""
    found = []
    for _, partner in sorted(catalogue.partners.items()):
        why_not = next((why for user in users if (why := reason_not_outbound(user, partner, catalogue, now))), "")
        rank = None if why_not else _rank(location, partner, catalogue)
        elsewhere = "" if rank is not None else "its service area does not hold the location"
        found.append(Considered(partner, not why_not, rank, why_not or elsewhere))
    return tuple(found)


def _rank(location: LocationInformation, partner: Partner, catalogue: Catalogue) -> int | None:
    """Return how exactly the partner's area holds the location, 0 best, or None when it does not."""
    area = partner.service_area
    if _listed(location.ecgi, area.ecgi) or _listed(location.ncgi, area.ncgi):
        return 0
    if _listed(location.tracking_area, area.tracking_areas):
        return 1
    if location.coordinates is not None and catalogue.areas.inside(location.coordinates, partner):
        return 2
    return None


def _listed(text: str | None, texts: tuple[str, ...]) -> bool:
    return text is not None and text.lower() in (one.lower() for one in texts)
