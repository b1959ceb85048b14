"""Pages of the feed, held against the models that the MMS writes them with."""

from datetime import UTC, datetime

import pytest

from diameter_proxy.feed_page import FeedError, parse_entry, parse_page, parse_rows, read_rows
from diameter_proxy.identity_map import LentSet
from mmserver.messages import FeedEntry, FeedPage, FeedRows, IdentitySet, LentRange

ENTRY = FeedEntry(
    binding="b1",
    version=7,
    role="primary",
    other_mc_system="mc2",
    enabled=True,
    not_after=datetime(2030, 1, 1, tzinfo=UTC),
    identities=IdentitySet(private_user_identity="mig-h@D", public_user_identities=("sip:mig-h@D", "tel:+1")),
    counterpart=IdentitySet(private_user_identity="u@d", public_user_identities=("sip:u@d",)),
    provisioned=True,
)
LENT = LentSet(
    "b1", 7, True, "mc2", True, 1893456000.0, (b"mig-h@d", b"sip:mig-h@d", b"tel:+1"), (b"u@d", b"sip:u@d"), True
)


def page(*entries, **changes):
    fields = {"lent_range": LentRange(domain="d", prefix="mig-"), "version": 9, "reset": False, "complete": True}
    return FeedPage(**{**fields, **changes}, entries=entries).model_dump_json().encode()


def test_what_the_mms_writes_is_read():
    read = parse_page(page(ENTRY, ENTRY.model_copy(update={"binding": "b2", "deleted": True, "version": 8})))
    assert (read.range_domain, read.range_prefix, read.version) == ("d", "mig-", 9)
    assert (read.reset, read.complete) == (False, True)
    assert read.changes == (LENT,)
    assert read.deletions == (("b2", 8),)


def test_a_look_up_gives_the_set_or_nothing():
    assert parse_entry(ENTRY.model_dump_json().encode()) == LENT
    assert parse_entry(ENTRY.model_copy(update={"deleted": True}).model_dump_json().encode()) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"primary"', b'"owner"'),
        (b'"2030-01-01T00:00:00Z"', b'"2030-01-01T00:00:00"'),
        (b'"2030-01-01T00:00:00Z"', b"17"),
        (b'"version":7', b'"version":true'),
        (b'["sip:u@d"]', b"[]"),
        (b'["sip:u@d"]', b'"sip:u@d"'),
        (b'"u@d"', b'""'),
        (b'"u@d"', b'"\\ud800@d"'),
        (b'"binding":"b1",', b""),
        (b"{", b"["),
    ],
)
def test_anything_else_is_a_feed_error(old, new):
    with pytest.raises(FeedError):
        parse_page(page(ENTRY).replace(old, new, 1))
    with pytest.raises(FeedError):
        parse_entry(ENTRY.model_dump_json().encode().replace(old, new, 1))


ROW = (
    "b1", 7, False, "primary", "mc2", True, 1893456000.0, True,
    ("mig-h@D", "sip:mig-h@D", "tel:+1"), ("u@d", "sip:u@d"),
)  # fmt: skip


def rows(*rows, **changes):
    fields = {"lent_range": LentRange(domain="d", prefix="mig-"), "version": 9, "reset": False, "complete": True}
    return FeedRows(**{**fields, **changes}, rows=rows).model_dump_json().encode()


def test_rows_say_what_entries_say():
    page = parse_rows(rows(ROW, ("b2", 8, True, *ROW[3:])))
    assert page[:5] == ("d", "mig-", 9, False, True)
    assert read_rows(page.rows) == ([LENT], [("b2", 8)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"b1"', b"1"),
        (b'"primary"', b'"owner"'),
        (b"1893456000.0", b"1893456000"),
        (b"7,", b"true,"),
        (b'["u@d","sip:u@d"]', b'["u@d"]'),
        (b'["u@d","sip:u@d"]', b'"u@d"'),
        (b'["u@d","sip:u@d"]', b"[1,2]"),
        (b'"b1",', b""),
        (b'"rows":[[', b'"rows":[1,['),
    ],
)
def test_any_other_row_is_a_feed_error(old, new):
    octets = rows(ROW).replace(old, new, 1)
    assert octets != rows(ROW)
    with pytest.raises(FeedError):
        read_rows(parse_rows(octets).rows)


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"lent_range":{"domain":"d","prefix":"m"},"rows":{}}'])
def test_what_is_no_page_of_rows_is_a_feed_error(octets):
    with pytest.raises(FeedError):
        parse_rows(octets)
