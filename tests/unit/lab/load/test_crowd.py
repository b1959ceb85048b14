"""A crowd is made from a number and a seed: the same everywhere, nobody's identities another's."""

import pytest
from pydantic import ValidationError

from lab.load.crowd import USERS_MAX, Crowd, Place, member, members

HOME = Place("ims.mc1.lab", "00101", "mig-")
PARTNER = Place("ims.mc2.lab", "00102", "lent-")


def test_the_same_values_make_the_same_crowd() -> None:
    crowd = Crowd(home="mc1", partner="mc2", users=3)
    assert list(members(crowd, HOME, PARTNER)) == list(members(crowd, HOME, PARTNER))


def test_another_seed_makes_other_keys_and_other_lent_identities() -> None:
    one, other = (member(Crowd(home="mc1", partner="mc2", users=1, seed=seed), 1, HOME, PARTNER) for seed in ("1", "2"))
    assert {one.k, one.opc, one.primary, one.partner}.isdisjoint({other.k, other.opc, other.primary, other.partner})


def test_no_two_share_a_key_or_an_identity() -> None:
    crowd = list(members(Crowd(home="mc1", partner="mc2", users=500), HOME, PARTNER))
    for values in ([m.k for m in crowd], [m.primary for m in crowd], [m.partner for m in crowd]):
        assert len(set(values)) == 500


def test_each_set_lies_in_its_own_system_and_lent_ones_have_the_prefix() -> None:
    one = member(Crowd(home="mc1", partner="mc2", users=1), 1, HOME, PARTNER)
    assert one.isim.private_user_identity == "001019000000001@ims.mc1.lab"
    assert one.primary.private_user_identity.startswith("mig-")
    assert one.primary.private_user_identity.endswith("@ims.mc1.lab")
    assert one.partner.private_user_identity.startswith("lent-")
    assert one.partner.private_user_identity.endswith("@ims.mc2.lab")


def test_keys_are_not_shown() -> None:
    one = member(Crowd(home="mc1", partner="mc2", users=1), 1, HOME, PARTNER)
    assert one.k.hex() not in repr(one)
    assert repr(one.k) not in repr(one)


@pytest.mark.parametrize("users", [0, USERS_MAX + 1])
def test_a_crowd_has_its_limits(users: int) -> None:
    with pytest.raises(ValidationError):
        Crowd(home="mc1", partner="mc2", users=users)
