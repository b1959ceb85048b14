"""Entries of the express lane say what the identity map says, and go when it changes."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.hot_path import ReadySets, sent_avps, shows, sign_of
from diameter_proxy.identity_map import CHANGED_MAX, IdentityMap
from diameter_proxy.ready_sets import (
    ASKED_END,
    ASKED_FROM,
    FIRST_SENT,
    HAS_CASE,
    IMPIS,
    LOOKED_AT_S,
    MAPS,
    MORE_SIGNS,
    NEVER_S,
    OCTETS_SENT,
    READY_MAX,
    SECOND_SENT,
    SENT_END,
    SENT_FROM,
    UNTIL_S,
)
from diameter_proxy.routing import Route

PARTNER, HSS = Route.PARTNER, Route.HSS_AS_KNOWN


class Sets:
    def __init__(self, *lent):
        self.map = IdentityMap()
        for one in lent:
            self.map.apply(one)
        self.ready = ReadySets(self.map)

    def kind(self, route=PARTNER, system="mc1", user_first=False, is_split=False):
        return self.ready.kind(route, system, user_first, is_split)

    def make(self, identities, as_default=False, **changes):
        user, public = (
            avp.encode(text) for avp, text in zip((d.USER_NAME, d.PUBLIC_IDENTITY), identities, strict=True)
        )
        return self.ready.make(self.kind(**changes), user, public, as_default, 50.0)

    @property
    def entries(self):
        return self.kind().ready


@pytest.fixture
def sets(made):
    return Sets(made.lent())


def avps(identities):
    return d.USER_NAME.encode(identities[0]), d.PUBLIC_IDENTITY.encode(identities[1])


@pytest.mark.parametrize("user_first", [False, True])
@pytest.mark.parametrize("is_split", [False, True])
def test_an_entry_has_the_avps_in_the_order_in_which_they_came(made, sets, user_first, is_split):
    changes = {"user_first": user_first, "is_split": is_split}
    entry = sets.make(made.partner, **changes)
    user, public = avps(made.primary)
    first, second = (user, public) if user_first else (public, user)
    assert (entry[FIRST_SENT], entry[SECOND_SENT]) == ((first, second) if is_split else (first + second, b""))
    assert entry[OCTETS_SENT] == len(user) + len(public)
    assert sent_avps(entry, user_first) == (user, public)
    assert (entry[MAPS], entry[UNTIL_S], entry[IMPIS]) == (True, 100.0, (made.primary[0].encode(),) * 2)
    asked = b"".join(avps(made.partner) if user_first else reversed(avps(made.partner)))
    assert sets.kind(**changes).ready == {asked: entry}
    assert asked[entry[ASKED_FROM] : entry[ASKED_END]] == sign_of(made.partner[0].encode())
    assert entry[FIRST_SENT][entry[SENT_FROM] : entry[SENT_END]] == sign_of(made.primary[0].encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"other_mc_system": "mc3"},
        {"is_primary": True},
        {"counterpart": (b"a@b",)},
        {"identities": (b"u@d", b"sip:x@y")},
        {"not_after_s": 50.0},
    ],
    ids=["disabled", "another system", "lent by us", "no counterpart", "another identity", "ended"],
)
def test_who_is_not_of_the_common_case_has_none(made, changes):
    sets = Sets(made.lent(**changes))
    assert sets.make(made.partner) is None
    assert sets.entries == {}


def test_a_pair_of_two_sets_has_none(made):
    other = ("mig-q@ims.mc2.lab", "sip:mig-q@ims.mc2.lab")
    sets = Sets(made.lent(), made.lent(binding="q", identities=tuple(text.encode() for text in other)))
    assert sets.make((made.partner[0], other[1])) is None
    assert sets.make((made.partner[1], made.partner[1])) is None


@pytest.mark.parametrize("place", [0, 1])
def test_an_avp_with_other_flags_has_none(made, sets, place):
    pair = list(avps(made.partner))
    pair[place] = pair[place][:4] + bytes([pair[place][4] ^ 0x20]) + pair[place][5:]
    assert sets.ready.make(sets.kind(), *pair, False, 50.0) is None


@pytest.mark.parametrize(
    "provisioned, as_default, maps", [(True, False, False), (True, True, True), (False, False, True)]
)
def test_the_hss_gets_what_it_knows(made, provisioned, as_default, maps):
    sets = Sets(made.lent(is_primary=True, provisioned=provisioned))
    entry = sets.make(made.partner, as_default, route=HSS)
    assert entry[MAPS] is maps
    assert sent_avps(entry, False) == avps(made.primary if maps else made.partner)
    assert sets.make(made.partner, route=HSS, system="mc9") is None


def test_what_changes_is_made_anew(made, sets):
    before = sets.make(made.partner)
    sets.make(made.partner, user_first=True)
    new = ("mig-new@x", "sip:mig-new@x")
    sets.map.apply(made.lent(version=2, counterpart=tuple(text.encode() for text in new)))
    sets.ready.forget(sets.map.changed_since_asked())
    assert sets.entries == sets.kind(user_first=True).ready == {}
    assert sent_avps(sets.make(made.partner), False) == avps(new) != sent_avps(before, False)
    sets.map.delete("p", 9)
    sets.ready.forget(sets.map.changed_since_asked())
    assert sets.entries == {}
    assert sets.make(made.partner) is None


def test_after_too_many_changes_and_after_a_reload_all_are_made_anew(made):
    for change in (
        lambda sets: [sets.map.apply(made.lent(binding="q", version=number)) for number in range(CHANGED_MAX + 2)],
        lambda sets: sets.map.replace_by(IdentityMap()),
    ):
        sets = Sets(made.lent(), made.lent(binding="q", version=0, identities=(b"q@d", b"sip:q@d")))
        sets.map.changed_since_asked()
        sets.make(made.partner)
        change(sets)
        changed = sets.map.changed_since_asked()
        sets.ready.forget(changed)
        assert changed is None
        assert sets.entries == {}
        assert sets.map.changed_since_asked() == []


def test_who_is_too_short_to_be_told_has_none(made):
    lent = made.lent(identities=(b"u@d", b"sip:u@d"))
    assert Sets(lent).make(("u@d", "sip:u@d")) is None


@pytest.mark.parametrize(
    "odd", ["mig-\N{LATIN SMALL LETTER E WITH ACUTE}@ims.lab", "mig user@ims.lab", "mig-\x7f@ims.lab"]
)
def test_who_has_octets_that_are_not_looked_for_has_none(made, odd):
    mine = (odd.encode(), f"sip:{odd}".encode())
    assert Sets(made.lent(identities=mine)).make((odd, f"sip:{odd}")) is None
    assert Sets(made.lent(counterpart=mine)).make(made.partner) is None


def test_a_binding_that_takes_over_identities_takes_the_entry_away(made, sets):
    sets.make(made.partner)
    sets.map.apply(made.lent(binding="q", counterpart=(b"mig-new@x", b"sip:mig-new@x")))
    sets.ready.forget(sets.map.changed_since_asked())
    assert sets.entries == {}


def test_entries_are_bounded(made, sets):
    sets.entries.update(dict.fromkeys(range(READY_MAX)))
    sets.make(made.partner)
    assert len(sets.entries) == 1


def test_entries_whose_time_is_up_go_when_it_is_looked_at(made):
    later = ("mig-later@d.lab", "sip:mig-later@d.lab")
    identities = tuple(text.encode() for text in later)
    sets = Sets(made.lent(not_after_s=100.0), made.lent(binding="q", identities=identities, not_after_s=200.0))
    assert sets.ready.until_s == NEVER_S
    sets.make(made.partner)
    sets.make(later)
    assert sets.ready.until_s == 100.0
    sets.ready.let_go_of_ended(1.0, 99.0)
    assert (len(sets.entries), sets.ready.age) == (2, 0)
    sets.ready.let_go_of_ended(1.0, 100.0)
    assert (len(sets.entries), sets.ready.until_s, sets.ready.age) == (1, 200.0, 1)
    sets.ready.let_go_of_ended(LOOKED_AT_S, 200.0)
    assert len(sets.entries) == 1, "not so soon again, whatever the wall clock says"
    sets.ready.let_go_of_ended(1.0 + LOOKED_AT_S, 200.0)
    assert (len(sets.entries), sets.ready.until_s, sets.ready.age) == (0, NEVER_S, 2)


@pytest.mark.parametrize(
    "identity, sign",
    [
        (b"001010000000001@ims.lab", b"00000001"),
        (b"sip:001010000000001@ims.lab", b"00000001"),
        (b"Mig-00A001@x.lab", b"mig-00a0"),
        (b"tel:+46701234567", b"01234567"),
        (b"1234@x.lab", b"1234@x.l"),
        (b"sip:Alice@x.lab", b"alice@x."),
    ],
)
def test_a_sign_stands_wherever_the_identity_does(identity, sign):
    assert sign_of(identity) == sign
    for text in (identity, identity.upper(), identity.rpartition(b"@")[0] or identity):
        shown = b"...." + text.lower() + b"...."
        assert not shows(shown, (identity,), ()) or sign in shown


def test_further_identities_have_signs_too(made):
    identities = ("mig-a@d.lab.x", "sip:mig-b@d.lab.x")
    lent = made.lent(
        identities=tuple(text.encode() for text in identities), counterpart=(b"12345678@x", b"sip:12345678@x")
    )
    entry = Sets(lent).make(identities)
    assert (entry[MORE_SIGNS], entry[HAS_CASE]) == ((b"mig-a@d.",), True)
    entry = Sets(lent).make(identities, user_first=True)
    assert (entry[MORE_SIGNS], entry[HAS_CASE]) == ((b"mig-b@d.",), True)


def test_signs_of_digits_have_no_case(made):
    identities = ("11112222@d.lab", "sip:11112222@d.lab")
    lent = made.lent(
        identities=tuple(text.encode() for text in identities), counterpart=(b"12345678@x", b"sip:12345678@x")
    )
    entry = Sets(lent).make(identities)
    assert (entry[MORE_SIGNS], entry[HAS_CASE]) == ((), False)
