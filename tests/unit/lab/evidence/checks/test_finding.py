"""A finding passes without faults and fails with them; sentences say what was found and what was wanted."""

from lab.evidence.checks.finding import absent, differs, frame_filter, judged, lacks
from lab.evidence.report import Verdict


def test_without_faults_it_passes_with_its_detail() -> None:
    finding = judged([3, None, 3, 4], "f", (), "d")
    assert (finding.verdict, finding.frames, finding.filter, finding.detail) == (Verdict.PASS, (3, 4), "f", "d")


def test_with_faults_it_fails_and_says_each() -> None:
    finding = judged([1], "f", [*differs("code", 1, 2), *lacks(0, "no x")], "d")
    assert (finding.verdict, finding.detail) == (Verdict.FAIL, "code: found 1, wanted 2; no x")


def test_what_is_as_wanted_says_nothing() -> None:
    assert [*differs("code", 1, 1), *lacks("x", "no x")] == []
    assert absent("gone").verdict is Verdict.NOT_EXPECTED


def test_long_values_are_cut() -> None:
    (sentence,) = differs("body", "x" * 500, None)
    assert len(sentence) < 180


def test_a_filter_of_no_frames_is_empty() -> None:
    assert (frame_filter([None]), frame_filter([1, None, 2])) == ("", "frame.number in {1, 2}")
