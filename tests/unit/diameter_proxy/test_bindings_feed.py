"""A page is one step: range, deletions, changes, version, freshness."""

from diameter_proxy.bindings_feed import apply_page
from diameter_proxy.feed_page import FeedPage
from diameter_proxy.identity_map import IdentityMap


def test_a_page_changes_the_map_in_place(made):
    identities = IdentityMap()
    apply_page(identities, FeedPage("D", "mig-", 5, False, False, 5, (made.lent(version=5),), ()), 10.0)
    assert identities.age_s(10.0) is None
    assert (identities.version, identities.began) == (5, 5)
    apply_page(identities, FeedPage("d", "mig-", 6, False, True, 5, (), (("p", 6),)), 11.0)
    assert identities.bindings == {}
    assert identities.age_s(12.0) == 1.0
    assert identities.is_in_range(b"mig-1@d")
