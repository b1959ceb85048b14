"""Deadlines in one queue: never early, at most a tick late."""

from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.hot_path import TICK_S, DeadlineQueue


def test_what_is_due_is_handed_out_once():
    queue = DeadlineQueue()
    queue.add(1.0, "a")
    queue.add(1.2, "b")
    assert queue.sweep(0.99) == []
    assert queue.sweep(1.0 + TICK_S) == ["a"]
    assert queue.sweep(1.2 + TICK_S) == ["b"]
    assert len(queue) == 0


def test_what_is_over_already_comes_with_the_next_sweep():
    queue = DeadlineQueue()
    queue.sweep(5.0)
    queue.add(1.0, "late")
    assert queue.sweep(5.0) == []
    assert queue.sweep(5.0 + 2 * TICK_S) == ["late"]


def test_a_long_pause_loses_nothing():
    queue = DeadlineQueue()
    queue.sweep(0.0)
    for number in range(100):
        queue.add(number * 1.0, number)
    assert queue.sweep(1000.0) == list(range(100))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 20), max_size=20), st.lists(st.floats(0, 25), min_size=1, max_size=30))
def test_nothing_is_early_and_nothing_later_than_a_tick(dues, times):
    queue = DeadlineQueue()
    for due in dues:
        queue.add(due, due)
    for now in sorted(times):
        assert all(due <= now for due in queue.sweep(now))
    left = queue.sweep(100.0)
    assert all(due > max(times) - 2 * TICK_S for due in left)
