"""Which set is lent (10.1.X.1 steps 5 and 10): from a pool, by a random SIP identity generation function.

Pure: randomness is an argument, and so is the knowledge of what is taken.  Lent identities are opaque: at least 96
random bits, in the core's own home domain, under one user-part prefix.
"""

import base64
from collections.abc import Callable, Iterable
from typing import Final

from mmserver.identity import Impi, Impu, SipIdentities, domain_of
from mmserver.migration.errors import (
    IdentitiesOutsideRealm,
    NoFreePrimarySet,
    NoSipIdentity,
)

RANDOM_OCTETS: Final = 16
"""128 bits an identity: guessing one is hopeless, and two equal ones are not to be expected."""

PRIMARY_STEP: Final = "10.1.X.1-5"
PARTNER_STEP: Final = "10.1.X.1-10"

Randomness = Callable[[int], bytes]


def random_set(home_domain: str, prefix: str, count: int, randomness: Randomness) -> SipIdentities:
    """Return a fresh set with ``count`` IMPUs; nothing in one identity tells of another."""

    def user() -> str:
        return prefix + base64.b32encode(randomness(RANDOM_OCTETS)).decode().rstrip("=").lower()

    impus = tuple(Impu(f"sip:{user()}@{home_domain}") for _ in range(count))
    return SipIdentities(Impi(f"{user()}@{home_domain}"), impus)


def sip_only(identities: SipIdentities, step: str) -> SipIdentities:
    """Return the set without its ``tel:`` URIs: those live in the profile and are never mapped.

    Raises:
        NoSipIdentity: nothing is left.
    """
    if not identities.sip_uris:
        raise NoSipIdentity("a set needs one SIP URI at least", step=step)
    return SipIdentities(identities.private_user_identity, identities.sip_uris)


def free_primary_sets(
    configured: Iterable[SipIdentities], taken: Callable[[SipIdentities], bool], default: SipIdentities
) -> list[SipIdentities]:
    """Return the sets configured for the user and partner that are not taken and can be paired (7.4.2.2.X).

    Raises:
        NoFreePrimarySet: all are lent or quarantined, or have another number of IMPUs than the default set.
    """
    free = [candidate for candidate in configured if not taken(candidate)]
    fitting = [candidate for candidate in free if len(candidate.sip_uris) <= len(default.sip_uris)]
    if fitting:
        return fitting
    if free:
        raise NoFreePrimarySet(
            f"each free set has more SIP URIs than the default set's {len(default.sip_uris)}", step=PRIMARY_STEP
        )
    raise NoFreePrimarySet("all sets of this user for that partner are lent or quarantined", step=PRIMARY_STEP)


def first_free(candidates: Iterable[SipIdentities], taken: Callable[[SipIdentities], bool]) -> SipIdentities | None:
    """Return the first set that is not taken."""
    return next((candidate for candidate in candidates if not taken(candidate)), None)


def cut(identities: SipIdentities, count: int) -> SipIdentities:
    """Return the set with its first ``count`` SIP URIs: as many as the set that it is paired with."""
    return SipIdentities(identities.private_user_identity, identities.sip_uris[:count])


def require_realms(identities: SipIdentities, realms: Iterable[str], step: str | None) -> None:
    """Hold a set to the realms agreed with its system.

    Raises:
        IdentitiesOutsideRealm: one of its identities lies in none of them, nor in a subdomain of one.
    """
    allowed = tuple(realms)
    for identity in identities.mapped:
        domain = domain_of(identity)
        if not any(domain == realm or domain.endswith("." + realm) for realm in allowed):
            raise IdentitiesOutsideRealm(f"domain {domain or '(none)'} is none of {', '.join(allowed)}", step=step)
