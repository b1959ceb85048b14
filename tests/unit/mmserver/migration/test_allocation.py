"""How a set is chosen, with randomness and knowledge as arguments."""

import pytest

from mmserver.identity import SipIdentities, parse_sip_identities
from mmserver.migration.allocation import (
    RANDOM_OCTETS,
    free_partner_set,
    free_primary_set,
    random_set,
    require_realms,
    sip_only,
)
from mmserver.migration.errors import (
    IdentitiesOutsideRealm,
    NoFreePartnerSet,
    NoFreePrimarySet,
    NoSipIdentity,
    PartnerSetTooSmall,
)


def identities(name: str, impus: int = 1) -> SipIdentities:
    return parse_sip_identities(f"{name}@d.x", [f"sip:{name}{number}@d.x" for number in range(impus)])


def test_a_random_set_takes_fresh_randomness_for_each_identity() -> None:
    asked: list[int] = []

    def randomness(octets: int) -> bytes:
        asked.append(octets)
        return bytes([len(asked)]) * octets

    lent = random_set("ims.mc2.lab", "mig-", 2, randomness)
    assert asked == [RANDOM_OCTETS] * 3
    assert RANDOM_OCTETS * 8 >= 96
    assert len({text.removeprefix("sip:") for text in lent.mapped}) == 3
    assert all(text.removeprefix("sip:").startswith("mig-") for text in lent.mapped)


def test_telephone_numbers_are_left_out() -> None:
    assert sip_only(parse_sip_identities("u@d", ["tel:+1", "sip:a@d"]), "s").public_user_identities == ("sip:a@d",)
    with pytest.raises(NoSipIdentity):
        sip_only(parse_sip_identities("u@d", ["tel:+1"]), "s")


def test_the_first_free_primary_set_that_can_be_paired_is_taken() -> None:
    configured = [identities("one"), identities("two", 3), identities("three")]
    default = identities("default")
    assert free_primary_set(configured, lambda one: False, default) == configured[0]
    assert free_primary_set(configured, lambda one: one == configured[0], default) == configured[2]
    with pytest.raises(NoFreePrimarySet, match="lent or quarantined"):
        free_primary_set(configured, lambda one: True, default)
    with pytest.raises(NoFreePrimarySet, match="more SIP URIs"):
        free_primary_set(configured[1:2], lambda one: False, default)


def test_the_smallest_partner_set_that_is_large_enough_is_cut_to_size() -> None:
    pool = [identities("large", 4), identities("middle", 2), identities("small", 1)]
    chosen = free_partner_set(pool, lambda one: False, 2)
    assert chosen == pool[1]
    assert free_partner_set(pool, lambda one: one == pool[1], 2).public_user_identities == (
        "sip:large0@d.x",
        "sip:large1@d.x",
    )
    with pytest.raises(PartnerSetTooSmall):
        free_partner_set(pool, lambda one: False, 5)
    with pytest.raises(NoFreePartnerSet):
        free_partner_set(pool, lambda one: True, 1)


@pytest.mark.parametrize(
    ("realms", "fits"), [(["d.x"], True), (["x"], True), (["other", "d.x"], True), (["xd.x"], False)]
)
def test_identities_lie_in_a_realm_or_below_it(realms: list[str], fits: bool) -> None:
    if fits:
        require_realms(identities("one"), realms, None)
        return
    with pytest.raises(IdentitiesOutsideRealm):
        require_realms(identities("one"), realms, None)
