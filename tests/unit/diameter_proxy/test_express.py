"""What the express lane asks of identities: how they are encoded, exchanged, and found where they must not be."""

import re
import struct
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.express import (
    bare_identity,
    folded,
    public_identity_avp,
    shows,
    unescaped,
    user_name_avp,
    with_identities,
)
from diameter_proxy.hot_path import holds_text


@pytest.mark.parametrize("length", [*range(1, 9), 250, 255, 256, 257, 300])
def test_identities_are_encoded_as_the_dictionary_does(length):
    text = "u" * length
    assert user_name_avp(text.encode()) == d.USER_NAME.encode(text)
    assert public_identity_avp(text.encode()) == d.PUBLIC_IDENTITY.encode(text)


@pytest.mark.parametrize(
    "message, hidden, but, is_shown",
    [
        (b"..a@b..", (b"a@b", b"sip:a@b"), (), True),
        (b"..a@c..", (b"a@b", b"sip:a@b"), (), False),
        (b"..x@b..", (b"a@b", b"sip:x@b"), (), True),
        (b"..a@b..", (b"a@b", b"sip:a@b"), (b"a@b", b"sip:a@b"), False),
        (b"..5..", (b"a@b", b"tel:5"), (), True),
        (b"..xa@bc..", (b"a@b", b"sip:a@b"), (b"xa@bc",), False),
        (b"..A%40B..", (b"a@b", b"sip:a@b"), (), True),
    ],
)
def test_an_identity_is_seen_wherever_it_stands(message, hidden, but, is_shown):
    assert shows(message, hidden, but) is is_shown


def test_identities_are_exchanged_by_position(made):
    lent = made.lent()
    user, public = lent.identities
    assert with_identities(user, public, lent) == lent.counterpart
    assert with_identities(public, public, lent) is None


def test_only_sip_is_exchanged(made):
    lent = made.lent(
        identities=(b"u@d", b"sip:u@d", b"tel:1", b"sip:v@d"), counterpart=(b"h@d", b"tel:2", b"tel:1", b"sip:w@d")
    )
    for public, expected in ((b"sip:u@d", None), (b"tel:1", None), (b"sip:v@d", (b"h@d", b"sip:w@d"))):
        assert with_identities(b"u@d", public, lent) == expected


@pytest.mark.parametrize("octets", [b"", b"A@B.c", b"100% of it", b"a%4Gb", b"%"])
def test_without_escapes_only_case_is_looked_through(octets):
    assert folded(octets) == octets.lower()


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([b"%", b"%4", b"%41", b"%fF", b"%5c", b"\\", b"\\x41", b"\\u0041", b"\n", b"\xe9", b"a"]))
)
@example([b"%%41"])
@example([b"%2541"])
def test_escapes_are_undone_as_urllib_does(pieces):
    octets = b"".join(pieces)
    assert unescaped(octets) == unquote_to_bytes(octets)


def test_escapes_are_undone_beside_what_stands_there():
    assert folded(b"sip:U%40D") == b"sip:u%40dsip:u@d"


@pytest.mark.parametrize("identity, bare", [(b"sip:a@b", b"a@b"), (b"tel:5", b"5"), (b"a@b", b"a@b"), (b"", b"")])
def test_a_scheme_is_no_part_of_who_it_is(identity, bare):
    assert bare_identity(identity) == bare


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(st.sampled_from([b"\0", b" ", b"!", b"~", b"\x7f", b"\xff", b"mig-", b"0123456", b"%41"]), max_size=12),
    st.lists(st.integers(0, 30), min_size=2, max_size=6),
)
def test_text_in_a_value_is_found_wherever_it_begins_and_ends(pieces, places) -> None:
    data = b"".join(pieces).ljust(30, b"\0")
    ordered = sorted(places)[: len(places) // 2 * 2]
    values = list(zip(ordered[::2], ordered[1::2], strict=True))
    runs = [run.span() for run in re.finditer(rb"[!-~]{8,}", data)]
    wanted = any(begin < last and first < end and first < last for first, last in values for begin, end in runs)
    assert holds_text(data, b"".join(struct.pack("<2i", *value) for value in values)) is wanted
