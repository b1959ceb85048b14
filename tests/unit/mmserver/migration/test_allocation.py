"""How a set is chosen, with randomness and knowledge as arguments."""

import pytest

from mmserver.identity import SipIdentities, parse_sip_identities
from mmserver.migration.allocation import (
    RANDOM_OCTETS,
    cut,
    first_free,
    free_primary_sets,
    random_set,
    require_realms,
    sip_only,
)
from mmserver.migration.errors import (
    IdentitiesOutsideRealm,
    NoFreePrimarySet,
    NoSipIdentity,
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
    assert free_primary_sets(configured, lambda one: False, default) == [configured[0], configured[2]]
    assert free_primary_sets(configured, lambda one: one == configured[0], default) == [configured[2]]
    with pytest.raises(NoFreePrimarySet, match="lent or quarantined"):
        free_primary_sets(configured, lambda one: True, default)
    with pytest.raises(NoFreePrimarySet, match="more SIP URIs"):
        free_primary_sets(configured[1:2], lambda one: False, default)


def test_a_set_is_cut_to_size() -> None:
    assert cut(identities("large", 4), 2).public_user_identities == ("sip:large0@d.x", "sip:large1@d.x")


def test_the_first_that_is_not_taken_is_found() -> None:
    pool = [identities("one"), identities("two")]
    assert first_free(pool, lambda one: one == pool[0]) == pool[1]
    assert first_free(pool, lambda one: True) is None


@pytest.mark.parametrize(
    ("realms", "fits"), [(["d.x"], True), (["x"], True), (["other", "d.x"], True), (["xd.x"], False)]
)
def test_identities_lie_in_a_realm_or_below_it(realms: list[str], fits: bool) -> None:
    if fits:
        require_realms(identities("one"), realms, None)
        return
    with pytest.raises(IdentitiesOutsideRealm):
        require_realms(identities("one"), realms, None)
