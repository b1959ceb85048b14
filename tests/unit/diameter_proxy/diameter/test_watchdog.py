"""The watchdog on its own; the table of RFC 3539 §3.4.1 is held in tests/conformance."""

from math import inf

import pytest

from diameter_proxy.diameter.watchdog import Watchdog, WatchdogAction, WatchdogState


def test_jitter_moves_tw_by_two_seconds_at_most() -> None:
    watchdog = Watchdog(30.0, lambda: -1.0)
    watchdog.connection_up(100.0)
    assert watchdog.due == 128.0


def test_short_tw_has_less_jitter() -> None:
    watchdog = Watchdog(3.0, lambda: 1.0)
    watchdog.connection_up(0.0)
    assert watchdog.due == 4.0


def test_probes_in_reopen_do_not_wait_for_tw() -> None:
    watchdog = Watchdog(30.0, lambda: 0.0, probe_s=0.1)
    watchdog.connection_up(0.0)
    watchdog.connection_down()
    assert watchdog.due == inf
    assert watchdog.connection_up(10.0) == (WatchdogAction.SEND_WATCHDOG,)
    assert watchdog.received_dwa(10.01) == ()
    assert watchdog.due == pytest.approx(10.11)


def test_postponed_watchdog_begins_anew() -> None:
    watchdog = Watchdog(6.0, lambda: 0.0)
    watchdog.connection_up(0.0)
    watchdog.postpone(5.0)
    assert watchdog.due == 11.0
    assert watchdog.state is WatchdogState.OKAY


def test_life_of_a_peer_that_falls_silent_returns_and_falls_silent_again() -> None:
    """Each branch once; what the RFC's rows are is held in tests/conformance."""
    watchdog = Watchdog(6.0, lambda: 0.0)
    assert watchdog.connection_up(0.0) == ()
    assert watchdog.received_other(1.0) == ()
    assert watchdog.timer_expired(7.0) == (WatchdogAction.SEND_WATCHDOG,)
    assert watchdog.timer_expired(13.0) == (WatchdogAction.FAILOVER,)
    assert watchdog.received_dwa(14.0) == (WatchdogAction.FAILBACK,)
    assert watchdog.received_dwa(15.0) == ()
    assert watchdog.timer_expired(21.0) == (WatchdogAction.SEND_WATCHDOG,)
    assert watchdog.timer_expired(27.0) == (WatchdogAction.FAILOVER,)
    assert watchdog.timer_expired(33.0) == (WatchdogAction.CLOSE_CONNECTION,)
    assert watchdog.state is WatchdogState.DOWN
    assert watchdog.connection_down() == (WatchdogAction.CLOSE_CONNECTION,)
    assert watchdog.connection_up(40.0) == (WatchdogAction.SEND_WATCHDOG,)
    assert [watchdog.received_dwa(now) for now in (41.0, 42.0, 43.0)] == [(), (), (WatchdogAction.FAILBACK,)]
    assert watchdog.connection_down() == (WatchdogAction.CLOSE_CONNECTION, WatchdogAction.FAILOVER)
    watchdog.connection_up(50.0)
    assert watchdog.received_other(51.0) == ()
    assert watchdog.timer_expired(56.0) == ()
    assert watchdog.timer_expired(62.0) == (WatchdogAction.CLOSE_CONNECTION,)
