"""Frames leave a slow way when they are due, in their order, and never more than it holds."""

import random

import pytest

from lab.faults import forwarder
from lab.faults.forwarder import SlowWay


def test_a_frame_leaves_after_the_delay_and_not_before() -> None:
    way = SlowWay(0.2, 0.0, random.Random(1))
    way.put(b"one", 10.0)
    assert way.next_s == pytest.approx(10.2)
    assert way.due(10.19) == []
    assert way.due(10.2) == [b"one"]
    assert (way.next_s, way.due(99.0)) == (None, [])


def test_no_frame_overtakes_another_however_the_jitter_falls() -> None:
    way = SlowWay(0.2, 0.2, random.Random(7))
    frames = [bytes([number]) for number in range(200)]
    for number, frame in enumerate(frames):
        way.put(frame, number * 0.001)
    assert [frame for tick in range(1000) for frame in way.due(tick * 0.001)] == frames


def test_jitter_stays_within_its_bounds() -> None:
    way = SlowWay(0.2, 0.1, random.Random(3))
    for number in range(100):
        way.put(b"", float(number))
        assert way.next_s is not None
        assert 0.1 <= way.next_s - number <= 0.3
        way.due(number + 0.5)


def test_what_comes_over_the_limit_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "FRAMES_HELD_MAX", 2)
    way = SlowWay(0.1, 0.0, random.Random(1))
    for frame in (b"1", b"2", b"3"):
        way.put(frame, 0.0)
    assert way.due(1.0) == [b"1", b"2"]
