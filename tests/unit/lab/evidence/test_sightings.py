"""Identities are found wherever they are written: in either case, percent-encoded, in tokens, over two frames."""

import base64
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.evidence.messages import Capture
from lab.evidence.sightings import Needles, Sightings, everything, text_of

LENT = "mig-p5xw0c8jr3kd@ims.mc2.lab"


@pytest.mark.parametrize(
    "text",
    [LENT, LENT.upper(), f"<sip:{LENT};ob>", f"0{LENT}", f"x{LENT}9", f"a;b;{LENT}", f"\x00\x01{LENT}\xff"],
)
def test_an_identity_is_found_in_any_surrounding(text: str) -> None:
    assert Needles([LENT]).found_in(text) == {LENT}


@pytest.mark.parametrize("text", ["", "mig-p5xw0c8jr3kd", LENT[:-1], LENT.replace("5", "6")])
def test_what_is_not_the_whole_identity_is_not_found(text: str) -> None:
    assert Needles([LENT]).found_in(text) == set()


def test_two_identities_with_one_user_part_are_told_apart() -> None:
    needles = Needles(["sip:alice@ims.mc1.lab", "sip:alice@ims.mc2.lab", "..."])
    assert needles.found_in("To: <sip:alice@ims.mc2.lab>") == {"sip:alice@ims.mc2.lab"}


@given(
    before=st.text(max_size=12),
    after=st.text(max_size=12),
    needle=st.from_regex(r"[a-z0-9]{1,6}[-@.][a-z0-9]{1,6}", fullmatch=True),
)
@settings(deadline=None, derandomize=True)
def test_search_by_runs_finds_what_a_plain_search_finds(before: str, after: str, needle: str) -> None:
    assert Needles([needle]).found_in(before + needle + after) == {needle}


def test_an_identity_in_a_header_a_query_and_a_token_is_seen(make: SimpleNamespace) -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": LENT}).encode()).decode().rstrip("=")
    quoted = LENT.replace("@", "%40")
    assert LENT in text_of(make.http(1, "ue", "cms1", f"/x?user={quoted}"))
    assert LENT in text_of(make.http(1, "ue", "cms1", "/x", cookie=LENT))
    assert LENT in text_of(make.http(1, "ue", "cms1", "/x", authorization=f"Bearer e30.{payload}.sig"))


def test_an_identity_over_two_segments_is_seen_in_the_second(make: SimpleNamespace) -> None:
    halves = [
        make.payload(1, "proxy2", "proxy1", LENT[:9].encode()),
        make.payload(2, "proxy2", "proxy1", LENT[9:].encode()),
    ]
    sightings = Sightings(Capture(payloads=tuple(halves)), make.facts(), [LENT])
    assert sightings.first_frame(LENT) == 2
    assert sightings.raw == 2


def test_two_datagrams_are_not_one_text(make: SimpleNamespace) -> None:
    halves = [
        make.payload(1, "ue", "pcscf", LENT[:9].encode(), stream=-1),
        make.payload(2, "ue", "pcscf", LENT[9:].encode(), stream=-1),
    ]
    assert Sightings(Capture(payloads=tuple(halves)), make.facts(), [LENT]).of(LENT) == []


def test_where_it_was_seen_has_wire_and_systems(make: SimpleNamespace) -> None:
    message = make.diameter(4, "proxy2", "proxy1", make.avp(281, f"no {LENT}"))
    feed = make.http(5, "proxy1", "mms1", "/feed/v1/changes")
    first, second = everything(Capture(diameter=(message,), http=(feed,)), make.facts())
    assert (first.leg, first.systems, first.is_raw) == ("csc-y", {"mc1", "mc2"}, False)
    assert (second.leg, second.systems) == ("feed", {"mc1"})
