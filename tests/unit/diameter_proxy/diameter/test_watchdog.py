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
