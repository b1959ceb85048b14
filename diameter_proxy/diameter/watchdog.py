"""The watchdog of one peer (RFC 3539 §3.4.1): is the other end still there, and may it be used?

Time is a number that the caller passes in; the machine says when it wants to be called again (``due``).
The jitter is an argument too.  CONNECTION_UP and _DOWN come from the peer machine; AttemptOpen() is the connector's
(RFC 6733 §2.1, Tc), so that it is no action here.
"""

from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import Final

JITTER_S: Final = 2.0
"""Tw varies by this much, so that peers do not beat in step (RFC 3539 §3.4.1)."""
GOOD_WATCHDOGS: Final = 2
"""NumDWA at which the next DWA ends REOPEN: three in all (RFC 3539 §3.4.1)."""


class WatchdogState(Enum):
    """The states of RFC 3539 §3.4.1."""

    INITIAL = auto()
    OKAY = auto()
    SUSPECT = auto()
    DOWN = auto()
    REOPEN = auto()


class WatchdogAction(Enum):
    """What the caller must carry out."""

    SEND_WATCHDOG = auto()
    FAILOVER = auto()
    FAILBACK = auto()
    CLOSE_CONNECTION = auto()


WatchdogActions = tuple[WatchdogAction, ...]


class Watchdog:
    """One peer's watchdog."""

    def __init__(self, interval_s: float, jitter: Callable[[], float], *, probe_s: float | None = None) -> None:
        """Begin in INITIAL.

        Args:
            interval_s: Twinit; RFC 3539 wants at least 6 s.
            jitter: returns a number in [-1, 1], afresh each time; it is scaled to 2 s, or a third of a short Tw.
            probe_s: time between DWA and DWR in REOPEN, or None for Tw.
        """
        self.state = WatchdogState.INITIAL
        self.due = inf
        self._interval_s = interval_s
        self._probe_s = interval_s if probe_s is None else probe_s
        self._jitter = jitter
        self._pending = False
        self._good = 0

    def connection_up(self, now: float) -> WatchdogActions:
        """Take note that the peer machine is open."""
        self._set(now)
        if self.state is WatchdogState.INITIAL:
            # INITIAL       Connection up        SetWatchdog()        OKAY
            self.state = WatchdogState.OKAY
            return ()
        # DOWN          Connection up        NumDWA = 0
        #                                    SendWatchdog()
        #                                    SetWatchdog()
        #                                    Pending = TRUE       REOPEN
        self._good = 0
        self._pending = True
        self.state = WatchdogState.REOPEN
        return (WatchdogAction.SEND_WATCHDOG,)

    def connection_down(self) -> WatchdogActions:
        """Take note that the peer machine left its open state; the timer rests until it is open again."""
        was_okay = self.state is WatchdogState.OKAY
        self._pending = False
        self.due = inf
        self.state = WatchdogState.DOWN
        # OKAY          Connection down      CloseConnection()
        #                                    Failover()
        #                                    SetWatchdog()        DOWN
        # SUSPECT, REOPEN: the same without Failover()
        if was_okay:
            return (WatchdogAction.CLOSE_CONNECTION, WatchdogAction.FAILOVER)
        return (WatchdogAction.CLOSE_CONNECTION,)

    def received_dwa(self, now: float) -> WatchdogActions:
        """Take note of a DWA."""
        self._pending = False
        if self.state is WatchdogState.REOPEN:
            return self._reopened_dwa(now)
        # OKAY          Receive DWA          Pending = FALSE
        #                                    SetWatchdog()        OKAY
        # SUSPECT       Receive DWA          Pending = FALSE
        #                                    Failback()
        #                                    SetWatchdog()        OKAY
        return self.received_other(now)

    def received_other(self, now: float) -> WatchdogActions:
        """Take note of messages other than a DWA; once for all of one read, or in OKAY of one tick."""
        if self.state is WatchdogState.OKAY:
            # OKAY          Receive non-DWA      SetWatchdog()        OKAY
            self._set(now)
            return ()
        if self.state is WatchdogState.SUSPECT:
            # SUSPECT       Receive non-DWA      Failback()
            #                                    SetWatchdog()        OKAY
            self._set(now)
            self.state = WatchdogState.OKAY
            return (WatchdogAction.FAILBACK,)
        # REOPEN        Receive non-DWA      Throwaway()          REOPEN
        # non-standard: not counted as a sign of life, but handled all the same; the peer waits for an answer.
        return ()

    def timer_expired(self, now: float) -> WatchdogActions:
        """Act on Tw; to be called once ``now`` has reached ``due``."""
        self._set(now)
        if self.state is WatchdogState.SUSPECT:
            # SUSPECT       Timer expires        CloseConnection()
            #                                    SetWatchdog()        DOWN
            return self._down()
        if not self._pending:
            # OKAY, REOPEN  Timer expires &      SendWatchdog()
            #               !Pending             SetWatchdog()
            #                                    Pending = TRUE       OKAY, REOPEN
            self._pending = True
            return (WatchdogAction.SEND_WATCHDOG,)
        if self.state is WatchdogState.OKAY:
            # OKAY          Timer expires &      Failover()
            #               Pending              SetWatchdog()        SUSPECT
            self.state = WatchdogState.SUSPECT
            return (WatchdogAction.FAILOVER,)
        if self._good >= 0:
            # REOPEN        Timer expires &      NumDWA = -1
            #               Pending &            SetWatchdog()        REOPEN
            #               NumDWA >= 0
            self._good = -1
            return ()
        # REOPEN        Timer expires &      CloseConnection()
        #               Pending &            SetWatchdog()        DOWN
        #               NumDWA < 0
        return self._down()

    def postpone(self, now: float) -> None:
        """Begin Tw anew: we do not read from this peer at the moment, so that its silence means nothing."""
        self._set(now)

    def _reopened_dwa(self, now: float) -> WatchdogActions:
        if self._good == GOOD_WATCHDOGS:
            # REOPEN        Receive DWA &        Pending = FALSE
            #               NumDWA == 2          NumDWA++
            #                                    Failback()           OKAY
            self._set(now)
            self.state = WatchdogState.OKAY
            return (WatchdogAction.FAILBACK,)
        # REOPEN        Receive DWA &        Pending = FALSE
        #               NumDWA < 2           NumDWA++             REOPEN
        self._good += 1
        # non-standard: the next DWR does not wait for all of Tw; three answers are asked for all the same.
        self.due = min(self.due, now + self._probe_s)
        return ()

    def _down(self) -> WatchdogActions:
        self._pending = False
        self.due = inf
        self.state = WatchdogState.DOWN
        return (WatchdogAction.CLOSE_CONNECTION,)

    def _set(self, now: float) -> None:
        """SetWatchdog(): Tw with jitter (RFC 3539 §3.4.1)."""
        self.due = now + self._interval_s + min(JITTER_S, self._interval_s / 3) * self._jitter()
