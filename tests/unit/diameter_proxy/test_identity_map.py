"""The identity map: two directions, changed in place, ended in time (TS 23.280 CR, 7.4.2.2.X)."""

import pytest

from diameter_proxy.identity_map import CHANGED_MAX, NEGATIVES_MAX, IdentityMap, LentSet, canonical

PARTNER = (b"mig-p@mc2", b"sip:mig-p@mc2", b"tel:+49", b"sip:mig-q@mc2")
PRIMARY = (b"mig-h@mc1", b"sip:mig-h@mc1", b"tel:+44", b"sip:mig-i@mc1")
DEFAULT = (b"u@mc1", b"sip:u@mc1")


def lent(binding="p", version=1, is_primary=False, other="mc1", enabled=True, until=100.0, of=PARTNER, to=PRIMARY):
    return LentSet(binding, version, is_primary, other, enabled, until, of, to)


def test_a_set_is_found_by_each_of_its_identities_until_it_is_deleted():
    identities = IdentityMap()
    assert identities.apply(lent())
    assert {identities.lent_to_users[identity].binding for identity in PARTNER} == {"p"}
    assert identities.delete("p", 2)
    assert identities.lent_to_users == identities.bindings == {}


def test_a_primary_set_is_found_by_its_system_only():
    identities = IdentityMap()
    identities.apply(lent("h", is_primary=True, other="mc2", of=PRIMARY, to=DEFAULT))
    assert PRIMARY[0] in identities.lent_to_systems["mc2"]
    assert identities.lent_to_users == {}
    assert [live.binding for live in identities.at_home(b"u@mc1", 0)] == ["h"]
    assert list(identities.at_home(b"u@mc1", 101)) == []
    assert identities.is_primary(PRIMARY[1])
    identities.delete("h", 1)
    assert not identities.is_primary(b"u@mc1")


def test_one_set_may_be_lent_to_two_systems_and_taken_from_one():
    identities = IdentityMap()
    identities.apply(lent("a", is_primary=True, other="mc2", of=DEFAULT, to=DEFAULT))
    identities.apply(lent("b", is_primary=True, other="mc3", of=DEFAULT, to=DEFAULT))
    identities.apply(lent("a", 2, is_primary=True, other="mc2", of=DEFAULT, to=DEFAULT, enabled=False))
    assert not identities.lent_to_systems["mc2"][DEFAULT[0]].is_usable(0)
    assert identities.lent_to_systems["mc3"][DEFAULT[0]].is_usable(0)
    assert [live.binding for live in identities.at_home(DEFAULT[1], 0)] == ["b"]
    identities.delete("b", 3)
    assert identities.is_primary(DEFAULT[1])
    identities.delete("a", 3)
    assert not identities.is_primary(DEFAULT[1])


def test_an_older_change_or_deletion_is_left_out():
    identities = IdentityMap()
    identities.apply(lent(version=5))
    assert not identities.apply(lent(version=4, enabled=False))
    assert not identities.delete("p", 4)
    assert identities.bindings["p"].enabled
    assert not identities.delete("unknown", 9)


def test_an_identity_that_moves_to_a_new_binding_stays_when_the_old_one_goes():
    identities = IdentityMap()
    identities.apply(lent("old", 1))
    identities.apply(lent("new", 2))
    identities.delete("old", 3)
    assert identities.lent_to_users[PARTNER[0]].binding == "new"


@pytest.mark.parametrize(
    ("identity", "wanted"), list(zip(PARTNER, (PRIMARY[0], PRIMARY[1], None, PRIMARY[3]), strict=True))
)
def test_counterparts_are_paired_by_position_and_tel_is_not_mapped(identity, wanted):
    assert lent().counterpart_of(identity) == wanted


def test_more_primary_identities_than_default_ones_stand_for_the_first():
    assert lent(is_primary=True, of=PRIMARY, to=DEFAULT).counterpart_of(PRIMARY[3]) == DEFAULT[1]
    assert lent(of=PARTNER, to=PRIMARY[:2]).counterpart_of(PARTNER[3]) is None


def test_a_binding_ends_in_time_and_is_current_only_as_it_was():
    identities = IdentityMap()
    first = lent()
    identities.apply(first)
    assert identities.is_current(first, 99)
    assert not identities.is_current(first, 100)
    identities.apply(lent(version=2, enabled=False))
    assert not identities.is_current(first, 0)


def test_negative_entries_last_a_second_and_the_feed_overrides_them():
    identities = IdentityMap()
    identities.note_absent(PARTNER[0], 10)
    assert identities.is_known_absent(PARTNER[0], 10.9)
    assert not identities.is_known_absent(PARTNER[0], 11)
    identities.note_absent(PARTNER[0], 20)
    identities.apply(lent())
    assert not identities.is_known_absent(PARTNER[0], 20)
    for number in range(NEGATIVES_MAX + 5):
        identities.note_absent(b"%d" % number, 30)
    assert identities.counts()["negative_entries"] == NEGATIVES_MAX


@pytest.mark.parametrize(
    ("identity", "is_in"),
    [
        (b"mig-x@mc2", True),
        (b"sip:mig-x@mc2", True),
        (b"SIP:MIG-x@MC2", True),
        (b"sip:%6Dig-x@mc2", True),
        (b"sip:mig-x@mc1", False),
        (b"u@mc2", False),
        (b"tel:+49", False),
    ],
)
def test_the_lent_range_is_a_domain_and_a_prefix(identity, is_in):
    identities = IdentityMap()
    assert not identities.is_in_range(identity)
    identities.set_range("MC2", "mig-")
    assert identities.is_in_range(identity) is is_in


def test_age_counts_from_the_last_complete_page():
    identities = IdentityMap()
    assert identities.is_stale(0, 300)
    assert identities.age_s(0) is None
    identities.refreshed(10)
    assert not identities.is_stale(310, 300)
    assert identities.is_stale(311, 300)


def test_a_full_reload_replaces_everything():
    identities, fresh = IdentityMap(), IdentityMap()
    identities.apply(lent("old"))
    identities.note_absent(b"x", 0)
    fresh.apply(lent("new", 7))
    fresh.version, fresh.began = 7, 6
    old = identities.replace_by(fresh)
    assert sum(map(len, old)) == len(PARTNER) + 1
    assert set(identities.bindings) == {"new"}
    assert (identities.version, identities.began) == (7, 6)
    assert not identities.is_known_absent(b"x", 0)


def test_canonical_lowers_scheme_and_host_and_keeps_the_user_part():
    assert canonical(b"SIP:Al@MC1.Lab") == b"sip:Al@mc1.lab"
    assert canonical(b"Al@MC1.Lab") == b"Al@mc1.lab"
    assert canonical(b"TEL:+49") == b"tel:+49"


def test_what_was_taken_out_or_exchanged_is_told_once():
    identities, first, second = IdentityMap(), lent(), lent(version=2)
    identities.apply(first)
    assert identities.changed_since_asked() == [], "what is new takes nothing's place"
    identities.apply(second)
    identities.delete("p", 3)
    assert identities.changed_since_asked() == [first, second]
    assert identities.changed_since_asked() == []


def test_a_set_whose_identities_another_takes_over_is_told_too():
    identities, first = IdentityMap(), lent()
    identities.apply(first)
    identities.apply(lent(binding="q"))
    assert set(identities.changed_since_asked()) == {first}


def test_of_too_much_only_that_it_was_much_is_told():
    identities = IdentityMap()
    for version in range(CHANGED_MAX + 2):
        identities.apply(lent(version=version))
    assert identities.changed_since_asked() is None
    identities.replace_by(IdentityMap())
    assert identities.changed_since_asked() is None
    assert identities.changed_since_asked() == []
