"""The story of a UE is the one that went furthest."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from lab.evidence.messages import Capture
from lab.evidence.queries import diameter_on, hexadecimal, is_from, story_of
from lab.evidence.story import Registration, read_stories


def test_the_story_that_went_furthest_is_the_ues(make: SimpleNamespace) -> None:
    evidence = read_stories(Capture(), make.facts())
    request, done = make.sip(1, "ue", "pcscf", "REGISTER"), make.sip(2, "pcscf", "ue", 200)
    refused = replace(
        evidence.stories[0], partner=Registration(request, None, None, make.sip(2, "pcscf", "ue", 504), "mc2")
    )
    good = replace(evidence.stories[0], partner=Registration(request, None, None, done, "mc2"))
    assert story_of(replace(evidence, stories=(*evidence.stories, refused, good)), "ue1") is good


def test_a_ue_that_is_not_in_the_run_is_named(make: SimpleNamespace) -> None:
    with pytest.raises(KeyError, match="no UE ue9"):
        story_of(read_stories(Capture(), make.facts()), "ue9")


def test_messages_of_a_system_on_a_leg(make: SimpleNamespace) -> None:
    mar = make.diameter(1, "scscf", "proxy2", make.avp(1, "x"))
    evidence = read_stories(Capture(diameter=(mar,), http=(make.http(2, "ue", "cms1", "/x"),)), make.facts())
    assert diameter_on(evidence, "aaa-2", 303, "mc2") == [mar]
    assert diameter_on(evidence, "aaa-2", 303, "mc1") == []
    assert hexadecimal(mar).endswith("78")
    assert is_from(evidence, "ue1", evidence.exchanges[0])
