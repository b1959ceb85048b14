"""One set: User-Name and Public-Identity belong together, or nothing goes anywhere."""

import pytest

from diameter_proxy.identity_map import IdentityMap, LentSet
from diameter_proxy.ownership import Owner, claim_of_core, claim_of_system, claim_of_user

HOME = frozenset({b"mc2"})
P1, P1S, P2, P2S = b"mig-p1@mc2", b"sip:mig-p1@mc2", b"mig-p2@mc2", b"sip:mig-p2@mc2"
H1, H1S = b"mig-h1@mc2", b"sip:mig-h1@mc2"
BOB, BOBS = b"bob@mc2", b"sip:bob@mc2"


@pytest.fixture
def identities():
    identities = IdentityMap()
    identities.set_range("mc2", "mig-")
    identities.apply(LentSet("p1", 1, False, "mc1", True, 100, (P1, P1S), (b"a@mc1", b"sip:a@mc1")))
    identities.apply(LentSet("p2", 2, False, "mc1", False, 100, (P2, P2S), (b"b@mc1", b"sip:b@mc1")))
    identities.apply(LentSet("h1", 3, True, "mc3", True, 100, (H1, H1S), (BOB, BOBS)))
    return identities


@pytest.mark.parametrize(
    ("user_name", "publics", "owner"),
    [
        (P1, [P1S], Owner.LENT),
        (None, [P1S], Owner.LENT),
        (P1.upper().replace(b"MIG-P1", b"mig-p1"), [b"SIP:mig-p1@MC2"], Owner.LENT),
        (P2, [P2S], Owner.DISABLED),
        (P1, [P2S], Owner.MIXED),
        (P1, [BOBS], Owner.MIXED),
        (BOB, [P1S], Owner.MIXED),
        (P1, [P1S, BOBS], Owner.MIXED),
        (b"mig-x@mc2", [BOBS], Owner.MIXED),
        (b"mig-x@mc2", [P1S], Owner.MIXED),
        (b"mig-x@mc2", [b"sip:mig-x@mc2"], Owner.UNBOUND),
        (H1, [H1S], Owner.UNBOUND),
        (BOB, [BOBS], Owner.OWN),
        (None, [b"tel:+49"], Owner.OWN),
        (b"u@else", [b"sip:u@else"], Owner.FOREIGN),
        (None, [], Owner.FOREIGN),
    ],
)
def test_whose_the_identities_are_that_a_cscf_names(identities, user_name, publics, owner):
    assert claim_of_user(identities, HOME, user_name, publics, 99).owner is owner


def test_a_binding_is_over_when_its_time_is(identities):
    assert claim_of_user(identities, HOME, P1, [P1S], 100).owner is Owner.EXPIRED


def test_only_a_miss_in_the_range_is_worth_a_look_up(identities):
    assert claim_of_user(identities, HOME, b"mig-x@mc2", [b"sip:mig-x@mc2"], 0).missing == b"mig-x@mc2"
    assert claim_of_user(identities, HOME, BOB, [BOBS], 0).missing is None
    assert claim_of_system(identities, "mc3", b"mig-x@mc2", [b"sip:mig-x@mc2"], 0).missing == b"mig-x@mc2"
    assert claim_of_system(identities, "mc3", b"u@else", [b"sip:u@else"], 0).missing is None


@pytest.mark.parametrize(
    ("system", "user_name", "publics", "owner"),
    [
        ("mc3", H1, [H1S], Owner.LENT),
        ("mc1", H1, [H1S], Owner.UNBOUND),
        ("mc3", BOB, [BOBS], Owner.UNBOUND),
        ("mc3", P1, [P1S], Owner.UNBOUND),
        ("mc3", H1, [BOBS], Owner.MIXED),
        ("mc3", BOB, [H1S], Owner.MIXED),
        ("mc3", None, [], Owner.UNBOUND),
    ],
)
def test_a_system_owns_what_was_lent_to_it(identities, system, user_name, publics, owner):
    assert claim_of_system(identities, system, user_name, publics, 0).owner is owner


@pytest.mark.parametrize(
    ("user_name", "publics", "owner", "has_binding"),
    [
        (BOB, [BOBS], Owner.OWN, True),
        (H1, [H1S], Owner.OWN, True),
        (b"eve@mc2", [b"sip:eve@mc2"], Owner.OWN, False),
        (P1, [P1S], Owner.LENT, True),
        (b"mig-gone@mc2", [b"sip:mig-gone@mc2"], Owner.LENT, False),
        (P1, [BOBS], Owner.MIXED, False),
        (b"u@else", [], Owner.FOREIGN, False),
    ],
)
def test_what_hss_and_mms_may_name(identities, user_name, publics, owner, has_binding):
    claim = claim_of_core(identities, HOME, user_name, publics, 0)
    assert claim.owner is owner
    assert (claim.lent is not None) is has_binding
