"""Pseudonyms of hosts and sessions, and back (topology hiding, D.3)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.pseudonyms import CACHED_MAX, Pseudonyms

HOST, REALM = "edge.mc1.lab", "ims.mc1.lab"
OLD, NEW = b"o" * 32, b"n" * 32
PSEUDONYMS = Pseudonyms(HOST, REALM, [OLD])
NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9.\-]{0,80}[a-z0-9])?", fullmatch=True)


@settings(deadline=None, derandomize=True)
@given(NAMES)
def test_a_host_is_its_pseudonym_and_back(name):
    for host in (name.encode(), f"{name}.{REALM}".encode()):
        pseudonym = PSEUDONYMS.host(host)
        assert PSEUDONYMS.host_of(pseudonym) == host
        assert PSEUDONYMS.host_of(pseudonym.upper()) == host
        assert re.fullmatch(rb"hidden-[a-z2-7]{1,56}(\.[a-z2-7]{1,63})*\.ims\.mc1\.lab", pseudonym)
        assert len(pseudonym) <= 255


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_a_session_is_its_pseudonym_and_back_octet_for_octet(session_id):
    pseudonym = PSEUDONYMS.session(session_id)
    assert PSEUDONYMS.session_of(pseudonym) == session_id
    assert re.fullmatch(rb"edge\.mc1\.lab;0;0;[a-z2-7]+", pseudonym)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=120))
def test_what_is_no_pseudonym_of_ours_has_no_name(octets):
    for text in (octets, b"hidden-" + octets + b".ims.mc1.lab"):
        assert PSEUDONYMS.host_of(text) is None
    for text in (octets, b"edge.mc1.lab;0;0;" + octets):
        assert PSEUDONYMS.session_of(text) is None


def test_a_pseudonym_is_not_hidden_again():
    """One that another network sends as its own passes through us to a third, and still leads back."""
    pseudonym = PSEUDONYMS.host(b"scscf.mc1.lab")
    assert PSEUDONYMS.host(pseudonym) == pseudonym


def test_one_name_has_one_pseudonym_whatever_its_letters_and_two_have_two():
    assert PSEUDONYMS.host(b"SCSCF.mc1.lab") == PSEUDONYMS.host(b"scscf.mc1.lab") != PSEUDONYMS.host(b"icscf.mc1.lab")


def test_short_names_of_any_length_are_equally_long():
    assert len({len(PSEUDONYMS.host(name + b".ims.mc1.lab")) for name in (b"a", b"scscf-berlin-1")}) == 1


def test_the_next_key_hides_and_the_last_one_still_restores():
    before, rotated = PSEUDONYMS.host(b"scscf.mc1.lab"), Pseudonyms(HOST, REALM, [NEW, OLD])
    assert rotated.host(b"scscf.mc1.lab") != before
    assert rotated.host_of(before) == b"scscf.mc1.lab"
    assert rotated.session_of(PSEUDONYMS.session(b"s;1;2")) == b"s;1;2"
    assert Pseudonyms(HOST, REALM, [NEW]).host_of(before) is None


@pytest.mark.parametrize("octets", [110, 247])
def test_a_name_too_long_for_a_pseudonym_is_ours(octets):
    """DiameterIdentity has 255 octets at most: what cannot be hidden is not shown either."""
    name = b"x" * octets + b".mc1.lab"
    pseudonym = PSEUDONYMS.host(name)
    assert pseudonym == HOST.encode() or PSEUDONYMS.host_of(pseudonym) == name
    assert (pseudonym == HOST.encode()) is (octets == 247)


def test_the_cache_does_not_grow_without_end():
    pseudonyms = Pseudonyms(HOST, REALM, [OLD])
    for number in range(CACHED_MAX + 10):
        pseudonyms.host(b"h%d" % number)
    assert len(pseudonyms._cached) == 10
    assert pseudonyms.host(b"h1") == PSEUDONYMS.host(b"h1")
