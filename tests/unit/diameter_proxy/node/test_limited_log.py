"""So many lines a second for each peer and reason, and one that counts the rest."""

import pytest
import structlog

from diameter_proxy.node.limited_log import KEYS_MAX, LimitedLog


class Clock:
    """Time as a number."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_lines_over_the_limit_are_counted_and_said_once_a_second(clock: Clock) -> None:
    log = LimitedLog(clock, 2)
    with structlog.testing.capture_logs() as events:
        for number in range(5):
            log.warning("request.refused", peer="a", reason="P bit clear", number=number)
        log.error("answer.refused", peer="b", reason="P bit clear")
        log.sweep(100.9)
        assert [event["event"] for event in events] == ["request.refused"] * 2 + ["answer.refused"]
        log.sweep(101.0)
        log.sweep(102.0)
    assert events[3:] == [
        {"event": "log.suppressed", "of": "request.refused", "peer": "a", "reason": "P bit clear", "lines": 3,
         "log_level": "warning"}
    ]  # fmt: skip
    assert log.suppressed_count == 3


def test_each_second_begins_anew(clock: Clock) -> None:
    log = LimitedLog(clock, 1)
    with structlog.testing.capture_logs() as events:
        for clock.now_s in (100.0, 101.0, 102.0):
            log.sweep(clock.now_s)
            log.warning("request.refused", peer="a", reason="x")
    assert [event["event"] for event in events] == ["request.refused"] * 3


def test_reasons_that_a_peer_makes_up_do_not_fill_memory_or_log(clock: Clock) -> None:
    log = LimitedLog(clock, 1)
    with structlog.testing.capture_logs() as events:
        for number in range(10 * KEYS_MAX):
            log.warning("connection.refused", peer="a", reason=f"{number} is no peer of ours")
        assert len(events) == KEYS_MAX + 1
        log.sweep(101.0)
    assert events[-1]["lines"] == 9 * KEYS_MAX - 1
