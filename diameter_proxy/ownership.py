"""Whom the identities of a request belong to, taken together: the pair check and what the map says (TS 29.228 §6).

User-Name and Public-Identity must be of one set, else nothing goes anywhere.  Pure questions to the identity map.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from diameter_proxy.identity_map import IdentityMap, LentSet, canonical


class Owner(Enum):
    """Whose the identities are, as seen from the class of peer that asks."""

    OWN = "own"
    LENT = "lent"
    UNBOUND = "unbound"
    EXPIRED = "expired"
    DISABLED = "disabled"
    FOREIGN = "foreign"
    MIXED = "mixed"


class Claim(NamedTuple):
    """What was found: the owner, the lent set, the identities in canonical form, and what to look up on a miss."""

    owner: Owner
    lent: LentSet | None
    user_name: bytes | None
    public_identities: tuple[bytes, ...]
    missing: bytes | None = None


def claim_of_user(
    identities: IdentityMap,
    home_domains: frozenset[bytes],
    user_name: bytes | None,
    public_identities: Sequence[bytes],
    now_s: float,
) -> Claim:
    """Say whose the identities are that a CSCF asks about."""
    impi = None if user_name is None else canonical(user_name)
    impus = tuple(map(canonical, public_identities))
    named = impus if impi is None else (impi, *impus)
    table = identities.lent_to_users
    sets = [table.get(identity) for identity in named]
    lent = next((found for found in sets if found is not None), None)
    if lent is not None:
        if any(found is not lent for found in sets):
            return Claim(Owner.MIXED, None, impi, impus)
        return Claim(_state_of(lent, now_s), lent, impi, impus)
    in_range = [identities.is_in_range(identity) for identity in named]
    if any(in_range):
        if not all(in_range):
            return Claim(Owner.MIXED, None, impi, impus)
        return Claim(Owner.UNBOUND, None, impi, impus, named[0])
    decisive = named[0] if named else b""
    if decisive.rpartition(b"@")[2] in home_domains or (impi is None and decisive.startswith(b"tel:")):
        return Claim(Owner.OWN, None, impi, impus)
    return Claim(Owner.FOREIGN, None, impi, impus)


def claim_of_system(
    identities: IdentityMap, system: str, user_name: bytes | None, public_identities: Sequence[bytes], now_s: float
) -> Claim:
    """Say whether the identities are a primary migration set lent to that system.

    What was lent to another system, or is a native user's, is UNBOUND like anything else: no oracle.
    """
    impi = None if user_name is None else canonical(user_name)
    impus = tuple(map(canonical, public_identities))
    named = impus if impi is None else (impi, *impus)
    table = identities.lent_to_systems.get(system, {})
    sets = [table.get(identity) for identity in named]
    lent = next((found for found in sets if found is not None), None)
    if lent is not None:
        if any(found is not lent for found in sets):
            return Claim(Owner.MIXED, None, impi, impus)
        return Claim(_state_of(lent, now_s), lent, impi, impus)
    missing = named[0] if named and all(map(identities.is_in_range, named)) else None
    return Claim(Owner.UNBOUND, None, impi, impus, missing)


def claim_of_core(
    identities: IdentityMap,
    home_domains: frozenset[bytes],
    user_name: bytes | None,
    public_identities: Sequence[bytes],
    now_s: float,
) -> Claim:
    """Say whose the identities are that our HSS or MMS names in RTR or PPR.

    LENT here is a set that our MMS lent to a user of another system; a primary migration set is OWN: the HSS has it.
    """
    impi = None if user_name is None else canonical(user_name)
    impus = tuple(map(canonical, public_identities))
    named = impus if impi is None else (impi, *impus)
    table = identities.lent_to_users
    is_lent = [
        identity in table or (identities.is_in_range(identity) and not identities.is_primary(identity))
        for identity in named
    ]
    if any(is_lent):
        if not all(is_lent):
            return Claim(Owner.MIXED, None, impi, impus)
        return Claim(Owner.LENT, table.get(named[0]), impi, impus)
    if named and named[0].rpartition(b"@")[2] in home_domains:
        lent = next((live for identity in named for live in identities.at_home(identity, now_s)), None)
        return Claim(Owner.OWN, lent, impi, impus)
    return Claim(Owner.FOREIGN, None, impi, impus)


def _state_of(lent: LentSet, now_s: float) -> Owner:
    if not lent.enabled:
        return Owner.DISABLED
    return Owner.LENT if now_s < lent.not_after_s else Owner.EXPIRED
