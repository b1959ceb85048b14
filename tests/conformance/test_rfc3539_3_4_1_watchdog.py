"""RFC 3539 §3.4.1: the table of the watchdog, by scripts of what happens and what must come of it."""

from typing import Final

from diameter_proxy.diameter.watchdog import Watchdog, WatchdogAction, WatchdogState

TW: Final = 6.0
SEND, FAILOVER, FAILBACK, CLOSE = (
    WatchdogAction.SEND_WATCHDOG,
    WatchdogAction.FAILOVER,
    WatchdogAction.FAILBACK,
    WatchdogAction.CLOSE_CONNECTION,
)


def okay() -> Watchdog:
    watchdog = Watchdog(TW, lambda: 0.0)
    watchdog.connection_up(0.0)
    return watchdog


def suspect() -> Watchdog:
    watchdog = okay()
    watchdog.timer_expired(6.0)
    watchdog.timer_expired(12.0)
    return watchdog


def reopen() -> Watchdog:
    watchdog = okay()
    watchdog.connection_down()
    watchdog.connection_up(20.0)
    return watchdog


def test_initial_connection_up_is_okay() -> None:
    """INITIAL, Connection up: SetWatchdog(), OKAY."""
    watchdog = Watchdog(TW, lambda: 0.0)
    assert watchdog.state is WatchdogState.INITIAL
    assert watchdog.connection_up(0.0) == ()
    assert (watchdog.state, watchdog.due) == (WatchdogState.OKAY, 6.0)


def test_okay_any_message_sets_the_watchdog() -> None:
    """OKAY, Receive non-DWA: SetWatchdog(), OKAY."""
    watchdog = okay()
    assert watchdog.received_other(2.0) == ()
    assert (watchdog.state, watchdog.due) == (WatchdogState.OKAY, 8.0)


def test_silent_peer_goes_suspect_then_down() -> None:
    """OKAY, Timer expires: SendWatchdog(); & Pending: Failover(); SUSPECT, Timer expires: CloseConnection()."""
    watchdog = okay()
    assert watchdog.timer_expired(6.0) == (SEND,)
    assert watchdog.due == 12.0
    assert watchdog.timer_expired(12.0) == (FAILOVER,)
    assert watchdog.state is WatchdogState.SUSPECT
    assert watchdog.timer_expired(18.0) == (CLOSE,)
    assert watchdog.state is WatchdogState.DOWN


def test_okay_dwa_clears_pending() -> None:
    """OKAY, Receive DWA: Pending = FALSE, SetWatchdog(), OKAY."""
    watchdog = okay()
    watchdog.timer_expired(6.0)
    assert watchdog.received_dwa(7.0) == ()
    assert watchdog.timer_expired(13.0) == (SEND,)
    assert watchdog.state is WatchdogState.OKAY


def test_suspect_peer_that_answers_is_failed_back() -> None:
    """SUSPECT, Receive DWA: Pending = FALSE, Failback(), SetWatchdog(), OKAY."""
    watchdog = suspect()
    assert watchdog.received_dwa(13.0) == (FAILBACK,)
    assert (watchdog.state, watchdog.due) == (WatchdogState.OKAY, 19.0)
    assert watchdog.timer_expired(19.0) == (SEND,)


def test_suspect_peer_that_says_anything_is_failed_back() -> None:
    """SUSPECT, Receive non-DWA: Failback(), SetWatchdog(), OKAY."""
    watchdog = suspect()
    assert watchdog.received_other(13.0) == (FAILBACK,)
    assert (watchdog.state, watchdog.due) == (WatchdogState.OKAY, 19.0)


def test_down_connection_up_is_reopen_with_a_watchdog() -> None:
    """DOWN, Connection up: NumDWA = 0, SendWatchdog(), SetWatchdog(), Pending = TRUE, REOPEN."""
    watchdog = okay()
    watchdog.connection_down()
    assert watchdog.connection_up(20.0) == (SEND,)
    assert (watchdog.state, watchdog.due) == (WatchdogState.REOPEN, 26.0)


def test_reopen_ends_with_the_third_dwa() -> None:
    """REOPEN, Receive DWA & NumDWA == 2: Pending = FALSE, NumDWA++, Failback(), OKAY."""
    watchdog = reopen()
    assert watchdog.received_dwa(20.1) == ()
    assert watchdog.timer_expired(26.0) == (SEND,)
    assert watchdog.received_dwa(26.1) == ()
    assert watchdog.timer_expired(32.0) == (SEND,)
    assert watchdog.state is WatchdogState.REOPEN
    assert watchdog.received_dwa(32.1) == (FAILBACK,)
    assert watchdog.state is WatchdogState.OKAY


def test_reopen_other_messages_do_not_count() -> None:
    """REOPEN, Receive non-DWA: Throwaway(), REOPEN."""
    watchdog = reopen()
    assert [watchdog.received_other(20.5) for _ in range(5)] == [()] * 5
    assert watchdog.state is WatchdogState.REOPEN


def test_reopen_two_silent_intervals_close() -> None:
    """REOPEN, Timer expires & Pending & NumDWA >= 0: NumDWA = -1; & NumDWA < 0: CloseConnection(), DOWN."""
    watchdog = reopen()
    assert watchdog.timer_expired(26.0) == ()
    assert watchdog.state is WatchdogState.REOPEN
    assert watchdog.timer_expired(32.0) == (CLOSE,)
    assert watchdog.state is WatchdogState.DOWN


def test_connection_down_fails_over_only_from_okay() -> None:
    """OKAY, Connection down: CloseConnection(), Failover(), DOWN; SUSPECT and REOPEN without Failover()."""
    assert okay().connection_down() == (CLOSE, FAILOVER)
    assert suspect().connection_down() == (CLOSE,)
    assert reopen().connection_down() == (CLOSE,)
